// Bytes as text: by the charset that is named, else as UTF-8 when they are.

/** @returns whether the bytes are UTF-8 without what only binary data has */
export function looksLikeText(bytes: Buffer, cut: boolean): boolean {
  const head = bytes.subarray(0, MAX_LOOKED_AT);
  for (const byte of head)
    if (byte < 0x20 && !TEXT_CONTROLS.has(byte)) return false;
  return decodeUtf8(head, cut || head.length < bytes.length) !== undefined;
}

const MAX_LOOKED_AT = 64 * 1024;
// Tab, line feed, form feed, carriage return, escape (logs have colours), and the record separator of JSON text sequences.
const TEXT_CONTROLS: ReadonlySet<number> = new Set([9, 10, 12, 13, 27, 30]);

/** @param cut whether the last character may be incomplete */
export function decodeText(
  bytes: Buffer,
  charset: string | undefined,
  cut: boolean,
): { text: string; note?: string } {
  const label = charset?.toLowerCase() ?? "utf-8";
  if (!/^utf-?8$/.test(label)) {
    try {
      return { text: new TextDecoder(label).decode(bytes, { stream: cut }) };
    } catch {
      return {
        text: bytes.toString(),
        note: `The charset ${label.slice(0, 40)} is not known; this is read as UTF-8.`,
      };
    }
  }
  const text = decodeUtf8(bytes, cut);
  if (text !== undefined) return { text };
  if (charset !== undefined)
    return { text: bytes.toString(), note: "Some bytes are no valid UTF-8." };
  return {
    text: new TextDecoder("windows-1252").decode(bytes),
    note: "This is no valid UTF-8; it is read as windows-1252.",
  };
}

function decodeUtf8(bytes: Buffer, cut: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, {
      stream: cut,
    });
  } catch {
    return undefined;
  }
}
