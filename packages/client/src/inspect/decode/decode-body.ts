// Undoes the content codings of a captured body (RFC 9110 section 8.4), as far as it goes and no further than a bound:
// 300 bytes of brotli can open to 200 MB.
import { openDecoder } from "./codings.ts";

/** A body with its content codings undone. */
export interface DecodedBody {
  readonly bytes: Buffer;
  /** The codings that were undone, outermost first. */
  readonly decoded: readonly string[];
  /** Whether `bytes` is less than the body opens to: the bound was reached, or the input is cut or broken. */
  readonly truncated: boolean;
  /** What stood in the way, as a sentence. */
  readonly note?: string;
}

/**
 * Decodes off the event loop's hot path, except for zstd before Node 22.15, which has a budget of time instead. Never
 * rejects: what cannot be decoded comes back as it was, with a note.
 *
 * @param contentEncoding value of Content-Encoding, several fields joined by commas
 * @param maxBytes how far the body and each step on the way may open
 */
export async function decodeBody(
  bytes: Buffer,
  contentEncoding: string | undefined,
  maxBytes = MAX_DECODED_BYTES,
): Promise<DecodedBody> {
  const codings = (contentEncoding ?? "")
    .split(",", MAX_CODINGS + 2)
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity");
  let current = bytes;
  let truncated = false;
  const decoded: string[] = [];
  const end = (note?: string): DecodedBody => ({
    bytes: current,
    decoded,
    truncated,
    ...(note !== undefined && { note }),
  });
  if (codings.length > MAX_CODINGS)
    return end(
      `Content-Encoding names more than ${MAX_CODINGS} codings; none of them was undone.`,
    );
  // They were applied in the order of the list.
  for (const coding of codings.reverse()) {
    const decoder = openDecoder(coding, current);
    if (!decoder)
      return end(
        `The content coding ${quote(coding)} is not one that can be undone here.`,
      );
    const result = await decoder(current, maxBytes);
    if (result.bytes.length === 0 && result.stop === "broken")
      return end(`The body is not valid ${coding}: ${result.reason}.`);
    current = result.bytes;
    decoded.push(coding);
    if (result.stop === undefined) continue;
    truncated = true;
    return end(
      result.stop === "bound"
        ? `The body opens to more than ${maxBytes} bytes; only these were decoded.`
        : `The ${coding} data ends or breaks after ${current.length} decoded bytes: ${result.reason}.`,
    );
  }
  return end();
}

const MAX_DECODED_BYTES = 16 * 1024 * 1024;
const MAX_CODINGS = 4;

const MAX_QUOTED = 40;
const quote = (text: string): string =>
  text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
