// Turns a captured request back into the bytes that the local service got.
import type { CapturedRequest, HeaderLine } from "@expose/protocol";

/**
 * Writes a request. Method, target, version and headers are as they came: names with their case, order and duplicates
 * kept, one blank behind the colon, as the edge writes them. The body's content coding is not touched. Where the body was
 * chunked, the sizes of the chunks are not in the history: it is sent as one chunk, with its trailers.
 */
export function writeRequest(request: CapturedRequest, body: Buffer): Buffer {
  const { method, target, version, headers, trailers } = request;
  const head = Buffer.from(
    `${method} ${target} HTTP/${version}\r\n${writeLines(headers)}\r\n`,
    "latin1",
  );
  if (request.body.framing !== "chunked") return Buffer.concat([head, body]);
  const chunk =
    body.length > 0
      ? [Buffer.from(`${body.length.toString(16)}\r\n`), body, CRLF]
      : [];
  const end = Buffer.from(`0\r\n${writeLines(trailers)}\r\n`, "latin1");
  return Buffer.concat([head, ...chunk, end]);
}

const CRLF = Buffer.from("\r\n");

const writeLines = (lines: readonly HeaderLine[]): string =>
  lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
