// The parts of a multipart body (RFC 2046 section 5.1.1, RFC 7578), a bounded number of them, each one bounded.
import type { BodyPart, BodyView, HeaderLine } from "@expose/protocol";
import { valueOf } from "../header-values.ts";
import { parseMediaType } from "./media-type.ts";
import { decodeText, looksLikeText } from "./text.ts";

/** @param cut whether the body goes on beyond its end */
export function viewMultipart(
  body: Buffer,
  boundary: string,
  cut: boolean,
): BodyView {
  const parts: BodyPart[] = [];
  let budget = MAX_SHOWN_BYTES;
  let note: string | undefined;
  let found = findDelimiter(body, boundary, 0);
  if (!found)
    note = "The boundary that Content-Type names does not occur in the body.";
  while (found && !found.last) {
    const next = findDelimiter(body, boundary, found.end);
    const content = body.subarray(found.end, next?.start ?? body.length);
    if (!next && !cut) note = "The last part is not closed by the boundary.";
    if (parts.length === MAX_PARTS) {
      note = `Only the first ${MAX_PARTS} parts are shown.`;
      break;
    }
    const part = viewPart(content, budget);
    budget -= part.shownBytes;
    parts.push(part.view);
    found = next;
  }
  return { kind: "multipart", parts, ...(note !== undefined && { note }) };
}

const MAX_PARTS = 100;
const MAX_SHOWN_BYTES = 512 * 1024;
const MAX_TEXT_BYTES = 64 * 1024;
const MAX_BINARY_BYTES = 4 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 50;

interface Delimiter {
  /** Where the line break before it begins. */
  readonly start: number;
  /** Behind its own line break. */
  readonly end: number;
  readonly last: boolean;
}

function findDelimiter(
  body: Buffer,
  boundary: string,
  from: number,
): Delimiter | undefined {
  const dashes = Buffer.from(`--${boundary}`, "latin1");
  for (let at = from; (at = body.indexOf(dashes, at)) !== -1; at += 2) {
    // It stands at the beginning of a line; the line break belongs to it.
    const breakLength =
      at === 0 || at === from
        ? 0
        : body[at - 2] === CR && body[at - 1] === LF
          ? 2
          : body[at - 1] === LF
            ? 1
            : -1;
    if (breakLength < 0) continue;
    const end = findDelimiterEnd(body, at + dashes.length);
    if (end) return { start: at - breakLength, ...end };
  }
  return undefined;
}

// Behind the boundary two dashes for the last one, blanks, and the end of the line. Else it is a longer word.
function findDelimiterEnd(
  body: Buffer,
  behind: number,
): Pick<Delimiter, "end" | "last"> | undefined {
  const last = body[behind] === DASH && body[behind + 1] === DASH;
  let at = last ? behind + 2 : behind;
  while (body[at] === BLANK || body[at] === TAB) at++;
  if (body[at] === CR) at++;
  if (at >= body.length) return { end: body.length, last };
  return body[at] === LF ? { end: at + 1, last } : undefined;
}

const TAB = 0x09;
const BLANK = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;

function viewPart(
  part: Buffer,
  budget: number,
): { view: BodyPart; shownBytes: number } {
  const { headers, content } = splitPart(part);
  // Browsers write names in UTF-8 (RFC 7578 section 5.1), and header lines are kept as ISO 8859-1.
  const disposition = parseMediaType(valueOf(headers, "content-disposition"));
  const parameter = (name: string): string | undefined => {
    const text = disposition.parameters.get(name);
    return text === undefined
      ? undefined
      : Buffer.from(text, "latin1").toString();
  };
  const name = parameter("name");
  const filename = parameter("filename");
  const { type, parameters } = parseMediaType(valueOf(headers, "content-type"));
  const textual = looksLikeText(content, false);
  const shown = content.subarray(
    0,
    Math.max(0, Math.min(budget, textual ? MAX_TEXT_BYTES : MAX_BINARY_BYTES)),
  );
  return {
    shownBytes: shown.length,
    view: {
      headers,
      ...(name !== undefined && { name }),
      ...(filename !== undefined && { filename }),
      ...(type !== undefined && { type }),
      bytes: content.length,
      ...(textual
        ? {
            text: decodeText(
              shown,
              parameters.get("charset"),
              shown.length < content.length,
            ).text,
          }
        : { base64: shown.toString("base64") }),
    },
  };
}

function splitPart(part: Buffer): { headers: HeaderLine[]; content: Buffer } {
  // A part without headers begins with the empty line.
  if (part[0] === LF) return { headers: [], content: part.subarray(1) };
  if (part[0] === CR && part[1] === LF)
    return { headers: [], content: part.subarray(2) };
  const head = part.toString("latin1", 0, MAX_HEADER_BYTES);
  const end = /\r?\n\r?\n/.exec(head);
  if (!end) return { headers: [], content: part };
  const headers = head
    .slice(0, end.index)
    .split(/\r?\n/, MAX_HEADERS)
    .map((line): HeaderLine => {
      const colon = line.indexOf(":");
      return colon < 0
        ? [line, ""]
        : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
  return { headers, content: part.subarray(end.index + end[0].length) };
}
