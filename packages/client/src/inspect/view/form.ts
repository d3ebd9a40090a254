// The fields of application/x-www-form-urlencoded (WHATWG URL section 5.1), which never fails.
import type { BodyView } from "@expose/protocol";

export function viewForm(text: string, cut: boolean): BodyView {
  const pairs = text.split("&", MAX_FIELDS + 1).filter((pair) => pair !== "");
  const fields = pairs.slice(0, MAX_FIELDS).map((pair) => {
    const equals = pair.indexOf("=");
    return {
      name: decode(equals < 0 ? pair : pair.slice(0, equals)),
      value: equals < 0 ? "" : decode(pair.slice(equals + 1)),
    };
  });
  const more = pairs.length > MAX_FIELDS;
  return {
    kind: "form",
    fields,
    ...((more || cut) && { truncated: true }),
    ...(more && { note: `Only the first ${MAX_FIELDS} fields are shown.` }),
  };
}

const MAX_FIELDS = 1_000;

// A percent sign that begins no escape stands for itself, and bytes that are no UTF-8 become U+FFFD.
function decode(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  const bytes = Buffer.from(spaced);
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const hex =
      bytes[at] === PERCENT ? bytes.toString("latin1", at + 1, at + 3) : "";
    const escaped = /^[0-9a-fA-F]{2}$/.test(hex);
    out[length++] = escaped ? Number.parseInt(hex, 16) : bytes[at]!;
    if (escaped) at += 2;
  }
  return out.toString("utf8", 0, length);
}

const PERCENT = 0x25;
