// Reads the head of an upstream's answer, strictly: the upstream is as hostile as a visitor. Whatever two parsers could
// read in two ways is refused (RFC 9112 section 2.2 and 6, RFC 9110 section 5).
import { saveDisposition } from "./content-disposition.ts";
import * as kinds from "./header-kinds.ts";
import { addNominated } from "./request-head.ts";

/** The head of an answer, ready to be passed on. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn; what belongs to one hop, frames the body or is the edge's own to say is gone. */
  readonly headers: string[];
  /** -1 where the head gives none. It stands in `headers` too, except where no body can follow. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** Whether the connection can serve another request after this answer. */
  readonly keepAlive: boolean;
  /** What the upstream says about how long it will wait for another; undefined where it says nothing. */
  readonly keepAliveTimeoutS: number | undefined;
  /** Whether `headers` holds a Trailer field. */
  readonly announcesTrailers: boolean;
  /** Names that Connection gives to this hop, lower-case. They are gone from `headers`, and are no trailers either. */
  readonly nominated: ReadonlySet<string> | undefined;
}

// What nearly all answers look like: printable ASCII, one space behind each colon, none at the end of a line. Whatever
// else is allowed goes the slower way and comes to the same. It cannot match in more than one way, so it is quick to fail.
const PLAIN =
  /^HTTP\/1\.1 [1-9]\d\d(?: [ -~]*)?(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [!-~](?:[ -~]*[!-~])?)*$/;
const STATUS_LINE =
  /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
// Line ends are checked where lines are cut.
// oxlint-disable-next-line no-control-regex -- to find them is the point
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/**
 * Parses the lines of a head.
 *
 * @param text everything before the empty line, one character a byte, without the last line end
 * @param maxFields more fields than these are refused
 * @returns undefined when it is no HTTP/1.0 or 1.1 response, or one that frames its body ambiguously
 */
export function parseResponseHead(
  text: string,
  maxFields: number,
): ResponseHead | undefined {
  const plain = PLAIN.test(text);
  if (!plain && CONTROL.test(text)) return undefined;
  const lineEnd = nextLineEnd(text, 0);
  if (lineEnd < 0) return undefined;
  const statusLine = text.slice(0, lineEnd);
  if (!plain && !STATUS_LINE.test(statusLine)) return undefined;
  // RFC 9112 section 4: "HTTP/1.", a digit, a space, three digits, and perhaps a space and a reason.
  const isOld = statusLine.charCodeAt(7) === 0x30;
  const status = Number(statusLine.slice(9, 12));
  const noBody = status < 200 || status === 204;

  const headers: string[] = [];
  let contentLength = -1;
  let chunked = false;
  let keepAlive = !isOld;
  let keepAliveTimeoutS: number | undefined;
  let announcesTrailers = false;
  let nominated: Set<string> | undefined;
  let hasDisposition = false;
  let fields = 0;

  let at = lineEnd + 2;
  while (at < text.length) {
    const end = nextLineEnd(text, at);
    const colon = text.indexOf(":", at);
    if (end < 0 || colon < 0 || colon > end || ++fields > maxFields)
      return undefined;
    const name = text.slice(at, colon);
    const value = plain
      ? text.slice(colon + 2, end)
      : trimmed(text, colon + 1, end);
    at = end + 2;
    switch (kinds.responseHeaderKind(name)) {
      case kinds.PASS:
        break;
      case kinds.CONTENT_LENGTH:
        // Twice the same length is refused too: nobody sends it who is not up to something (CVE-2026-1525).
        // Nor a tab around it, which is allowed (RFC 9110 section 5.6.3) and which not every parser takes.
        if (contentLength >= 0 || !/^\d{1,15}$/.test(value)) return undefined;
        if (text.slice(colon, at).includes("\t")) return undefined;
        contentLength = Number(value);
        if (noBody) continue;
        break;
      case kinds.TRANSFER_ENCODING:
        if (chunked || value.toLowerCase() !== "chunked" || isOld)
          return undefined;
        if (text.slice(colon, at).includes("\t")) return undefined;
        chunked = true;
        continue;
      case kinds.CONNECTION: {
        nominated = addNominated(nominated, value);
        const options = value.toLowerCase();
        if (/(?:^|[\s,])close(?:$|[\s,])/.test(options)) keepAlive = false;
        else if (isOld && options === "keep-alive") keepAlive = true;
        continue;
      }
      case kinds.KEEP_ALIVE: {
        const timeout = /(?:^|[\s,])timeout=(\d{1,6})(?:$|[\s,])/i.exec(value);
        if (timeout) keepAliveTimeoutS = Number(timeout[1]);
        continue;
      }
      case kinds.TRAILER:
        announcesTrailers = true;
        break;
      case kinds.CONTENT_DISPOSITION:
        hasDisposition = true;
        break;
      case kinds.INVALID:
        return undefined;
      default:
        continue;
    }
    headers.push(name, value);
  }
  if (chunked && contentLength >= 0) return undefined;
  if (nominated) removeNominated(headers, nominated);
  if (hasDisposition && contentLength >= 0) saveDisposition(headers);
  return {
    status,
    reason: statusLine.slice(13),
    headers,
    contentLength,
    chunked,
    keepAlive,
    keepAliveTimeoutS,
    announcesTrailers,
    nominated,
  };
}

/**
 * Parses the lines of a trailer section.
 *
 * @param nominated what the answer's Connection names (RFC 9110 section 7.6.1), lower-case
 * @returns names and values of those that may pass on (RFC 9110 section 6.5.1); undefined when it is malformed
 */
export function parseTrailers(
  text: string,
  maxFields: number,
  nominated?: ReadonlySet<string>,
): string[] | undefined {
  if (CONTROL.test(text)) return undefined;
  const trailers: string[] = [];
  let fields = 0;
  for (let at = 0; at < text.length;) {
    const end = nextLineEnd(text, at);
    const colon = text.indexOf(":", at);
    if (end < 0 || colon < 0 || colon > end || ++fields > maxFields)
      return undefined;
    const name = text.slice(at, colon);
    if (kinds.responseHeaderKind(name) === kinds.INVALID) return undefined;
    if (kinds.mayBeTrailer(name) && !nominated?.has(name.toLowerCase()))
      trailers.push(name, trimmed(text, colon + 1, end));
    at = end + 2;
  }
  return trailers;
}

// Where the line that begins at `at` ends; -1 when its end is not CRLF, or a CR or LF stands within it.
function nextLineEnd(text: string, at: number): number {
  const cr = text.indexOf("\r", at);
  const lf = text.indexOf("\n", at);
  if (cr < 0 && lf < 0) return text.length;
  return cr >= 0 && lf === cr + 1 ? cr : -1;
}

// Optional whitespace is space and tab (RFC 9110 section 5.6.3). String.trim() would also eat 0xA0, which is content.
function trimmed(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

function removeNominated(headers: string[], nominated: Set<string>): void {
  let kept = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const lower = headers[i]!.toLowerCase();
    if (nominated.has(lower) && lower !== "content-length") continue;
    headers[kept++] = headers[i]!;
    headers[kept++] = headers[i + 1]!;
  }
  headers.length = kept;
}
