// The bodies that this one may have been before something on its way parsed it, encoded it anew or tidied it up.
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import type { WebhookRequest } from "./webhook-request.ts";

/** A body that may have been signed. */
export interface BodyVariant {
  readonly body: Buffer;
  /** As the end of a sentence that begins with: the signature holds for the body. */
  readonly told: string;
}

/** @yields only those that differ from the body that arrived */
export function* bodyVariants(request: WebhookRequest): Iterable<BodyVariant> {
  for (const variant of candidates(request))
    if (!variant.body.equals(request.body)) yield variant;
}

function* candidates(request: WebhookRequest): Iterable<BodyVariant> {
  const { body } = request;
  const text = body.toString();
  const of = (changed: string, told: string): BodyVariant => ({
    body: Buffer.from(changed),
    told,
  });
  yield of(`${text}\n`, "with a line break at its end");
  yield of(`${text}\r\n`, "with CR LF at its end");
  yield of(text.replace(/\r?\n$/, ""), "without the line break at its end");
  yield of(text.replace(/^\ufeff/, ""), "without its byte order mark");
  yield of(text.trim(), "without blanks around it");
  yield of(text.replaceAll("\r\n", "\n"), "with LF as line ends");
  yield of(text.replace(/\r?\n/g, "\r\n"), "with CR LF as line ends");
  yield* jsonCandidates(text);
  yield* formCandidates(request, text);
  yield* charsetCandidates(body, text);
  yield* decompressed(request);
  yield { body: Buffer.alloc(0), told: "when it is empty" };
}

function* jsonCandidates(text: string): Iterable<BodyVariant> {
  if (!/^\s*[[{"]/.test(text)) return;
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    return;
  }
  for (const [indent, told] of [
    [undefined, "as JSON without blanks"],
    ["  ", "as JSON indented by two blanks"],
    ["    ", "as JSON indented by four blanks"],
    ["\t", "as JSON indented by tabs"],
  ] as const) {
    const json = JSON.stringify(value, undefined, indent);
    yield* withEscapes(json, told);
    yield* withEscapes(`${json}\n`, `${told}, with a line break at its end`);
  }
  yield* withEscapes(
    spaced(JSON.stringify(value)),
    "as JSON with blanks behind commas and colons",
  );
}

// PHP escapes slashes, PHP and Python escape what is not ASCII, Ruby and Go escape what means something in HTML.
function* withEscapes(json: string, told: string): Iterable<BodyVariant> {
  const ascii = json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const slashes = (text: string): string => text.replaceAll("/", "\\/");
  const html = json.replace(
    /[<>&\u2028\u2029]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  yield { body: Buffer.from(json), told };
  yield { body: Buffer.from(ascii), told: `${told}, with \\u escapes` };
  yield { body: Buffer.from(slashes(json)), told: `${told}, with \\/ escapes` };
  yield {
    body: Buffer.from(slashes(ascii)),
    told: `${told}, with \\u and \\/ escapes`,
  };
  yield {
    body: Buffer.from(html),
    told: `${told}, with <, > and & escaped`,
  };
}

// Outside of strings, as Python's json.dumps writes it.
const spaced = (json: string): string =>
  json.replace(/("(?:[^"\\]|\\.)*")|([,:])/g, (_, string: string, mark) =>
    string === undefined ? `${mark} ` : string,
  );

function* formCandidates(
  request: WebhookRequest,
  text: string,
): Iterable<BodyVariant> {
  const type = request.header("content-type")?.toLowerCase() ?? "";
  if (!type.startsWith("application/x-www-form-urlencoded")) return;
  const blanks = [
    [/\+/g, "%20", "with %20 for blanks"],
    [/%20/g, "+", "with + for blanks"],
  ] as const;
  for (const [from, to, told] of blanks)
    yield { body: Buffer.from(text.replace(from, to)), told };
  const again = new URLSearchParams(text).toString();
  yield { body: Buffer.from(again), told: "with its form encoded anew" };
  yield {
    body: Buffer.from(again.replaceAll("+", "%20")),
    told: "with its form encoded anew and %20 for blanks",
  };
  for (const [pattern, change] of [
    [/%[0-9a-f]{2}/g, "toUpperCase"],
    [/%[0-9A-F]{2}/g, "toLowerCase"],
  ] as const)
    yield {
      body: Buffer.from(text.replace(pattern, (code) => code[change]())),
      told: "with its escapes in the other case",
    };
}

function* charsetCandidates(body: Buffer, text: string): Iterable<BodyVariant> {
  if (!body.some((byte) => byte > 0x7f)) return;
  yield {
    body: Buffer.from(text, "latin1"),
    told: "in ISO 8859-1 (it was encoded in UTF-8 once too often)",
  };
  yield {
    body: Buffer.from(body.toString("latin1")),
    told: "in UTF-8 (it was written as ISO 8859-1)",
  };
}

const bounds = { maxOutputLength: 1024 * 1024 };

function* decompressed(request: WebhookRequest): Iterable<BodyVariant> {
  const coding = request.header("content-encoding")?.trim().toLowerCase();
  const undo =
    coding === "gzip"
      ? gunzipSync
      : coding === "deflate"
        ? inflateSync
        : coding === "br"
          ? brotliDecompressSync
          : undefined;
  if (!undo) return;
  try {
    yield {
      body: undo(request.body, bounds),
      told: `before it was compressed with ${coding}`,
    };
  } catch {
    // Not compressed, whatever the header says: no candidate.
  }
}
