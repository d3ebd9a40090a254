// Recognises a request that nobody can read in two ways. It decides nothing about hostile bytes: whatever is not as
// plain as this goes to Node's parser, unread.
import * as kinds from "./header-kinds.ts";
import type { VisitorRequest } from "./visitor-message.ts";

/** A GET or HEAD over HTTP/1.1, without a body. */
export interface PlainRequest extends VisitorRequest {
  readonly method: "GET" | "HEAD";
  /** Whether it says that it is the last one of its connection. */
  readonly closes: boolean;
}

// Printable ASCII and nothing else, one space behind each colon and none at the end of a line, CRLF at each: the grammar
// of RFC 9112 without all that is optional, obsolete or a matter of taste in it. It cannot match in more than one way,
// so it does not backtrack for long either.
const PLAIN =
  /^(?:GET|HEAD) \/[!"$-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [!-~](?:[ -~]*[!-~])?\r\n)+\r\n$/;

/** Bytes of a plain request; heads of browsers have less than half of that. */
export const MAX_PLAIN_BYTES = 8 * 1024;

const MAX_FIELDS = 64;

/**
 * Reads a request.
 *
 * @param bytes all that has come, no more than {@link MAX_PLAIN_BYTES}
 * @returns undefined when they are not exactly one plain request, or say anything about a body, an upgrade, an expectation
 *   or the connection that is not `close` or `keep-alive`
 */
export function parsePlainRequest(bytes: Buffer): PlainRequest | undefined {
  const text = bytes.toString("latin1");
  if (!PLAIN.test(text)) return undefined;

  const method = text.charCodeAt(0) === 0x47 ? "GET" : "HEAD";
  const lineEnd = text.indexOf("\r\n");
  const rawHeaders: string[] = [];
  let closes = false;
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
      case kinds.TRANSFER_ENCODING:
      case kinds.EXPECT:
      case kinds.UPGRADE:
      case kinds.DROP:
        return undefined;
    }
    rawHeaders.push(name, value);
  }
  if (rawHeaders.length > MAX_FIELDS * 2) return undefined;
  return {
    method,
    url: text.slice(method.length + 1, lineEnd - " HTTP/1.1".length),
    httpVersion: "1.1",
    httpVersionMinor: 1,
    rawHeaders,
    endsConnection: false,
    closes,
  };
}
