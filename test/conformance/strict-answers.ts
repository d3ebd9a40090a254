// Reads what a visitor was answered, as strictly as strict-parser.ts reads requests: written from RFC 9112 section 6.3 alone.
import { parseChunked, parseFields } from "./strict-parser.ts";

/** One answer, interim ones (1xx) too. */
export interface ParsedAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** How the end of the body is known; `none` where there can be no body, whatever the head says. */
  readonly framing: "none" | "length" | "chunked" | "close";
  readonly body: Buffer;
  /** Its own bytes, one character each. */
  readonly raw: string;
}

/** What a stream of bytes holds. */
export interface AnswersRead {
  readonly answers: readonly ParsedAnswer[];
  /** Bytes after the last complete answer. */
  readonly rest: Buffer;
}

/**
 * Reads as many answers as there are.
 *
 * @param methods of the requests, in order; more answers than these are read as if to a GET
 * @param ended whether nothing more will come, which is what ends a body that has no other end
 * @throws Error at the first thing that RFC 9112 does not allow
 */
export function parseAnswers(
  bytes: Buffer,
  methods: readonly string[],
  ended: boolean,
): AnswersRead {
  const answers: ParsedAnswer[] = [];
  let rest = bytes;
  let finals = 0;
  while (rest.length > 0) {
    const next = parseAnswer(rest, methods[finals] ?? "GET", ended);
    if (!next) break;
    answers.push(next.answer);
    rest = rest.subarray(next.length);
    if (next.answer.status >= 200) finals++;
    // Whatever it is from here on, it is not HTTP.
    if (next.answer.status === 101) break;
  }
  return { answers, rest };
}

function parseAnswer(
  bytes: Buffer,
  method: string,
  ended: boolean,
): { answer: ParsedAnswer; length: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [first = "", ...lines] = bytes
    .toString("latin1", 0, headEnd)
    .split("\r\n");
  const start = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*$/.exec(first);
  if (!start) throw new Error(`status line ${JSON.stringify(first)}`);
  const status = Number(start[1]);
  const headers = parseFields(lines);
  const all = (wanted: string): string[] =>
    headers
      .filter(([name]) => name.toLowerCase() === wanted)
      .map(([, value]) => value);
  const [lengths, codings] = [all("content-length"), all("transfer-encoding")];
  if (lengths.length + codings.length > 1)
    throw new Error("more than one framing");
  // RFC 9110 section 8.6, RFC 9112 section 6.1: not even where there is no body to frame.
  if (lengths.length + codings.length > 0 && (status < 200 || status === 204))
    throw new Error(`a ${status} with ${lines.join(", ")}`);
  const bodyAt = headEnd + 4;
  const done = (
    framing: ParsedAnswer["framing"],
    body: Buffer,
    length: number,
  ) => ({
    answer: {
      ...{ status, headers, framing, body },
      raw: bytes.toString("latin1", 0, length),
    },
    length,
  });
  if (method === "HEAD" || status < 200 || status === 204 || status === 304)
    return done("none", Buffer.alloc(0), bodyAt);
  if (codings.length > 0) {
    if (codings[0] !== "chunked") throw new Error(`coding ${codings[0]}`);
    const chunked = parseChunked(bytes, bodyAt);
    return chunked && done("chunked", chunked.body, chunked.end);
  }
  if (lengths.length > 0) {
    if (!/^\d{1,15}$/.test(lengths[0]!))
      throw new Error(`length ${lengths[0]}`);
    const end = bodyAt + Number(lengths[0]);
    return bytes.length < end
      ? undefined
      : done("length", bytes.subarray(bodyAt, end), end);
  }
  return ended
    ? done("close", bytes.subarray(bodyAt), bytes.length)
    : undefined;
}
