// How long a request's body is, decided by the edge itself for every method. What two parsers could read in two ways is
// refused; what passes goes on with exactly one of Content-Length and Transfer-Encoding (RFC 9112 section 6).
import type { RequestHead } from "./request-head.ts";
import type { Refusal } from "./refusal.ts";

/** A body of unknown length, in chunks. Any other framing is a number of bytes. */
export const CHUNKED = -1;

/**
 * Decides by the head alone, never by the method: a DELETE, an OPTIONS or a GET may have a body like any other
 * (CVE-2026-29057 is what comes of thinking otherwise).
 *
 * @param minorVersion of HTTP/1
 * @returns the body's length in bytes, 0 for none, {@link CHUNKED}, or why the request is refused
 */
export function decideFraming(
  head: RequestHead,
  minorVersion: number,
): number | Refusal {
  if (head.transferCodings > 0) {
    if (minorVersion === 0)
      return refuse("Transfer-Encoding does not exist in HTTP/1.0.");
    if (head.contentLengths > 0)
      return refuse("Content-Length and Transfer-Encoding exclude each other.");
    if (head.transferCodings > 1)
      return refuse("There is more than one Transfer-Encoding.");
    if (head.transferCoding.toLowerCase() !== "chunked")
      return {
        ...refuse("The only Transfer-Encoding that passes is chunked."),
        // RFC 9112 section 6.1: what answers a coding that is not understood.
        status: 501,
      };
    return CHUNKED;
  }
  if (head.contentLengths === 0) return 0;
  if (head.contentLengths > 1)
    return refuse("There is more than one Content-Length.");
  if (!/^\d{1,15}$/.test(head.contentLength))
    return refuse("The Content-Length is not a number of bytes.");
  return Number(head.contentLength);
}

const refuse = (detail: string): Refusal => ({
  code: "request-invalid",
  detail,
});
