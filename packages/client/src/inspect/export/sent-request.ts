// A captured request as another program is to send it: without what that program, and the connection, bring along.
import { isUtf8 } from "node:buffer";
import type { Exchange, HeaderLine } from "@expose/protocol";
import { REDACTED, TARGET } from "../store/redact.ts";

/** See the file's head. */
export interface SentRequest {
  readonly method: string;
  /** Public URL. */
  readonly url: string;
  /** Without framing, connection and Host, and without those whose values are gone. */
  readonly headers: readonly HeaderLine[];
  /** What is redacted of it: lower-case names of headers, and `query`. */
  readonly missing: readonly string[];
  readonly body: Buffer;
  /** The body, when it is text that a terminal, an editor and a source file can hold as it is. */
  readonly text: string | undefined;
}

/** @returns undefined for what is no HTTP request */
export function toSentRequest(
  exchange: Exchange,
  body: Buffer,
): SentRequest | undefined {
  const { request } = exchange;
  if (!request) return undefined;
  const redacted = new Set(exchange.redacted);
  const isRedacted = ([name, value]: HeaderLine): boolean =>
    value.includes(REDACTED) && redacted.has(name.toLowerCase());
  return {
    method: request.method,
    url: urlOf(exchange),
    headers: request.headers.filter(
      (line) =>
        !LEFT_OUT.has(line[0].toLowerCase()) &&
        !(line[1] === REDACTED && isRedacted(line)),
    ),
    missing: [
      ...(request.target.includes(REDACTED) && redacted.has(TARGET)
        ? ["query"]
        : []),
      ...new Set(
        request.headers.filter(isRedacted).map(([name]) => name.toLowerCase()),
      ),
    ],
    body,
    text: isPlainText(body) ? body.toString() : undefined,
  };
}

/**
 * The public URL of a request (RFC 9112 section 3.2). A target that is a whole URL may name any host; it came to this one.
 */
export function urlOf({ origin, target }: Exchange): string {
  if (target.startsWith("/")) return origin + target;
  const [, path] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [];
  if (path === undefined || path === "") return `${origin}/`;
  return origin + (path.startsWith("/") ? path : `/${path}`);
}

// Host follows from the URL, the length from the body, and the rest is between two neighbours (RFC 9110 section 7.6.1).
const LEFT_OUT: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "http2-settings",
]);

// UTF-8 without control characters but tab and line feed: those change on their way through terminals and clipboards.
function isPlainText(body: Buffer): boolean {
  for (const byte of body)
    if ((byte < 0x20 && byte !== 0x09 && byte !== 0x0a) || byte === 0x7f)
      return false;
  return isUtf8(body);
}

/** A sentence about what is missing; undefined when nothing is. */
export const explainMissing = ({ missing }: SentRequest): string | undefined =>
  missing.length === 0
    ? undefined
    : `Without the secrets of ${missing.join(", ")}: add them where they are needed.`;
