// Recognises a request that nobody can read in two ways. It decides nothing about hostile bytes: whatever is not as
// plain as this goes to Node's parser, unread.
import * as kinds from "./header-kinds.ts";
import type { VisitorRequest } from "./visitor-message.ts";

/** A GET or HEAD over HTTP/1.1 without a body, or a POST, PUT, PATCH or DELETE that says how long its body is. */
export interface PlainRequest extends VisitorRequest {
  readonly method: string;
  /** Whether it says that it is the last one of its connection. */
  readonly closes: boolean;
  /** Bytes of its head, and of the body behind it. */
  readonly headBytes: number;
  readonly bodyBytes: number;
}

// Printable ASCII, one space behind each colon and none at the end of a line, CRLF at each: the grammar of RFC 9112
// without all that is optional, obsolete or a matter of taste in it. Bytes above 127 mean nothing in a value (RFC 9110
// section 5.5), nor in a target, where no standard has them and servers take them all the same. It cannot match in more
// than one way, so it does not backtrack for long either, and it ends where the head does.
const PLAIN =
  /(?:GET|HEAD|POST|PUT|PATCH|DELETE) \/[!"$-~\x80-\xff]* HTTP\/1\.1\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?\r\n)+\r\n/y;

// One that every reader of numbers reads as the same: no sign, no leading zero, less than 2^53.
const LENGTH = /^(?:0|[1-9]\d{0,14})$/;

/** Bytes of a plain request's head; those of browsers have less than half of that. */
export const MAX_PLAIN_BYTES = 8 * 1024;

const MAX_FIELDS = 64;

const HEAD_END = Buffer.from("\r\n\r\n");

// Of POST, PUT and PATCH, and of DELETE.
const LETTER_P = 0x50;
const LETTER_D = 0x44;

/**
 * Reads a request.
 *
 * @param bytes all that has come
 * @param maxHeadBytes no more than {@link MAX_PLAIN_BYTES}
 * @returns undefined when they are not exactly one plain request with its body or the beginning of it, or say anything about
 *   another framing, an upgrade, an expectation or the connection that is not `close` or `keep-alive`
 */
export function parsePlainRequest(
  bytes: Buffer,
  maxHeadBytes: number,
): PlainRequest | undefined {
  // Only of the head: who keeps a piece of a text keeps all of it in memory.
  const mayHaveBody = bytes[0] === LETTER_P || bytes[0] === LETTER_D;
  const headBytes = mayHaveBody
    ? bytes.indexOf(HEAD_END) + HEAD_END.length
    : bytes.length;
  if (headBytes > maxHeadBytes) return undefined;
  const text = bytes.toString("latin1", 0, headBytes);
  PLAIN.lastIndex = 0;
  if (!PLAIN.test(text) || PLAIN.lastIndex !== headBytes) return undefined;

  const methodEnd = text.indexOf(" ");
  const lineEnd = text.indexOf("\r\n", methodEnd);
  const rawHeaders: string[] = [];
  let closes = false;
  let length: string | undefined;
  for (let at = lineEnd + 2; at < text.length - 2;) {
    const colon = text.indexOf(":", at);
    const end = text.indexOf("\r\n", colon);
    const name = text.slice(at, colon);
    const value = text.slice(colon + 2, end);
    at = end + 2;
    switch (kinds.requestHeaderKind(name)) {
      case kinds.CONNECTION: {
        const option = value.toLowerCase();
        if (option === "close") closes = true;
        else if (option !== "keep-alive") return undefined;
        break;
      }
      case kinds.CONTENT_LENGTH:
        // A GET or HEAD with a body is too odd to be plain.
        if (!mayHaveBody || length !== undefined || !LENGTH.test(value))
          return undefined;
        length = value;
        break;
      case kinds.TRANSFER_ENCODING:
      case kinds.EXPECT:
      case kinds.UPGRADE:
      case kinds.DROP:
        return undefined;
    }
    rawHeaders.push(name, value);
  }
  if (rawHeaders.length > MAX_FIELDS * 2) return undefined;
  const bodyBytes = Number(length ?? 0);
  if (bytes.length - headBytes > bodyBytes) return undefined;
  return {
    method: text.slice(0, methodEnd),
    url: text.slice(methodEnd + 1, lineEnd - " HTTP/1.1".length),
    httpVersion: "1.1",
    httpVersionMinor: 1,
    rawHeaders,
    endsConnection: false,
    closes,
    headBytes,
    bodyBytes,
  };
}

const UNFINISHED = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE) \/[!"$-~]*[\x80-\xff]/;

/**
 * Whether a head that has not come to its end is worth waiting for: Node's parser would refuse its target, so that whether
 * it is taken would depend on where its bytes are divided. All others Node may as well read.
 *
 * @param maxHeadBytes as for {@link parsePlainRequest}
 */
export function mayBecomePlain(bytes: Buffer, maxHeadBytes: number): boolean {
  return (
    bytes.length < maxHeadBytes &&
    UNFINISHED.test(bytes.toString("latin1")) &&
    !bytes.includes(HEAD_END)
  );
}
