// A second opinion on HTTP/1.1 requests, written from RFC 9112 alone: slow, strict, and of no use to anybody but a test.
// Where it and Node's parser read the same bytes differently, so may an upstream.

/** One request as it stood in the bytes. */
export interface ParsedRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** What a stream of bytes holds. */
export interface Parsed {
  readonly requests: readonly ParsedRequest[];
  /** Bytes after the last complete request. */
  readonly rest: Buffer;
  /** The first thing that a strict reader objects to; nothing after it was read. */
  readonly violation: string | undefined;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// RFC 9112 section 3, and bytes above 127 in a target, which no standard allows and servers take.
const START_LINE = /^(\S+) ([!-~\x80-\xff]+) HTTP\/1\.1$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Reads as many requests as there are. */
export function parseRequests(bytes: Buffer): Parsed {
  const requests: ParsedRequest[] = [];
  let rest = bytes;
  for (;;) {
    if (rest.length === 0) return { requests, rest, violation: undefined };
    try {
      const next = parseRequest(rest);
      if (!next) return { requests, rest, violation: undefined };
      requests.push(next.request);
      rest = rest.subarray(next.length);
    } catch (error) {
      return { requests, rest, violation: (error as Error).message };
    }
  }
}

function parseRequest(
  bytes: Buffer,
): { request: ParsedRequest; length: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  const text = bytes.toString(
    "latin1",
    0,
    headEnd < 0 ? bytes.length : headEnd,
  );
  if (/[^\r]\n|^\n|\r(?!\n|$)/.test(text)) throw new Error("bare CR or LF");
  if (headEnd < 0) return undefined;
  const [first = "", ...lines] = text.split("\r\n");
  const start = START_LINE.exec(first);
  if (!start || !TOKEN.test(start[1]!))
    throw new Error(`request line ${JSON.stringify(first.slice(0, 100))}`);
  const headers = parseFields(lines);
  const all = (wanted: string): string[] =>
    headers
      .filter(([name]) => name.toLowerCase() === wanted)
      .map(([, value]) => value);
  const [lengths, codings] = [all("content-length"), all("transfer-encoding")];
  if (all("host").length !== 1) throw new Error("not one Host");
  if (lengths.length + codings.length > 1)
    throw new Error("more than one framing");
  const bodyAt = headEnd + 4;
  const done = (body: Buffer, length: number) => ({
    request: { method: start[1]!, target: start[2]!, headers, body },
    length,
  });
  if (codings.length === 1) {
    if (codings[0]!.toLowerCase() !== "chunked")
      throw new Error(`transfer coding ${codings[0]}`);
    const chunked = parseChunked(bytes, bodyAt);
    return chunked && done(chunked.body, chunked.end);
  }
  const [length = "0"] = lengths;
  if (!/^\d{1,15}$/.test(length)) throw new Error(`length ${length}`);
  const end = bodyAt + Number(length);
  return bytes.length < end
    ? undefined
    : done(bytes.subarray(bodyAt, end), end);
}

/** Reads the lines of a head, its first one apart. @throws Error at a line that is no field */
export const parseFields = (lines: readonly string[]): [string, string][] =>
  lines.map((line) => {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (colon < 1 || !TOKEN.test(name) || !VALUE.test(value))
      throw new Error(`header line ${JSON.stringify(line.slice(0, 100))}`);
    return [name, value];
  });

/** Reads a chunked body with its trailers; undefined while it is incomplete. @throws Error where it is none */
export function parseChunked(
  bytes: Buffer,
  from: number,
): { body: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString("latin1", at, lineEnd);
    if (!/^[0-9a-fA-F]{1,8}$/.test(line))
      throw new Error(`chunk size ${JSON.stringify(line.slice(0, 50))}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return undefined;
    chunks.push(bytes.subarray(at, at + size));
    if (bytes.toString("latin1", at + size, at + size + 2) !== "\r\n")
      throw new Error("chunk without its end");
    at += size + 2;
  }
  // Trailers, then an empty line.
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString("latin1", at, lineEnd);
    at = lineEnd + 2;
    if (line === "") return { body: Buffer.concat(chunks), end: at };
    const colon = line.indexOf(":");
    if (colon < 1 || !TOKEN.test(line.slice(0, colon)))
      throw new Error(`trailer ${JSON.stringify(line.slice(0, 100))}`);
  }
}
