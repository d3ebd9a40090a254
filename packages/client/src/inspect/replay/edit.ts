// What a replay may change of a request, and the checks that keep an edit one request.
import type { CapturedRequest, HeaderLine } from "@expose/protocol";
import { valuesOf } from "../header-values.ts";
import { ReplayError } from "./replay-error.ts";

/** What is absent stays as it was. */
export interface RequestEdit {
  readonly method?: string | undefined;
  readonly target?: string | undefined;
  readonly headers?: readonly HeaderLine[] | undefined;
  readonly body?: Buffer | undefined;
}

// RFC 9110 section 5.6.2.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// One word of visible characters (RFC 9112 section 3.2), bytes of other encodings included.
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
// RFC 9110 section 5.5, obsolete text included. Nothing that could end the line.
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const MAX_HEADERS = 1_000;
const MAX_HEAD_CHARACTERS = 1024 * 1024;

/** @throws ReplayError `request-invalid` for what would be no request, or two */
function checkEdit({ method, target, headers = [] }: RequestEdit): void {
  if (method !== undefined && !(TOKEN.test(method) && method.length <= 64))
    throw invalid(`The method ${JSON.stringify(method)} is no token.`);
  if (target !== undefined && !TARGET.test(target))
    throw invalid(
      `The target ${JSON.stringify(target)} has blanks or control characters, or none at all; encode them as %20 and so on.`,
    );
  if (headers.length > MAX_HEADERS)
    throw invalid(`More than ${MAX_HEADERS} headers are no request.`);
  let characters = target?.length ?? 0;
  for (const [name, value] of headers) {
    if (!TOKEN.test(name))
      throw invalid(`The header name ${JSON.stringify(name)} is no token.`);
    if (!VALUE.test(value) || value !== value.trim())
      throw invalid(
        `The value of ${name} has control characters, blanks at an end, or characters beyond ISO 8859-1.`,
      );
    characters += name.length + value.length;
  }
  if (characters > MAX_HEAD_CHARACTERS)
    throw invalid(`The head is longer than ${MAX_HEAD_CHARACTERS} characters.`);
}

/** A request with its edit, framed so that its end is where its body ends. */
export interface EditedRequest {
  readonly request: CapturedRequest;
  readonly body: Buffer;
}

/**
 * Applies an edit. A request without one comes back as it is. With one, the framing is made right: a chunked body that
 * was not edited stays chunked, and any other gets the one Content-Length that is true, where the first one stood.
 *
 * @throws ReplayError `request-invalid`
 */
export function applyEdit(
  request: CapturedRequest,
  body: Buffer,
  edit: RequestEdit,
): EditedRequest {
  checkEdit(edit);
  const method = edit.method ?? request.method;
  const target = edit.target ?? request.target;
  const changed = { ...request, method, target };
  if (edit.headers === undefined && edit.body === undefined)
    return { request: changed, body };
  const headers = edit.headers ?? request.headers;
  const bytes = edit.body ?? body;
  const chunked =
    edit.body === undefined &&
    request.version === "1.1" &&
    valuesOf(headers, "transfer-encoding").join().toLowerCase() === "chunked" &&
    valuesOf(headers, "content-length").length === 0;
  if (chunked)
    return {
      request: {
        ...changed,
        headers,
        body: { ...request.body, framing: "chunked" },
      },
      body: bytes,
    };
  return {
    request: {
      ...changed,
      headers: withLength(headers, bytes.length, method),
      trailers: [],
      body: {
        bytes: bytes.length,
        keptBytes: bytes.length,
        framing: bytes.length > 0 ? "length" : "none",
      },
    },
    body: bytes,
  };
}

// RFC 9112 section 6.2: a request with a body says its length; one without needs to only where a body is expected.
function withLength(
  headers: readonly HeaderLine[],
  bytes: number,
  method: string,
): HeaderLine[] {
  const wanted = bytes > 0 || /^(POST|PUT|PATCH)$/.test(method);
  const kept: HeaderLine[] = [];
  let told = false;
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    // Trailers belong to chunks.
    if (key === "trailer") continue;
    if (key !== "content-length" && key !== "transfer-encoding") {
      kept.push([name, value]);
      continue;
    }
    if (told || !wanted) continue;
    kept.push([
      key === "content-length" ? name : "Content-Length",
      String(bytes),
    ]);
    told = true;
  }
  if (wanted && !told) kept.push(["Content-Length", String(bytes)]);
  return kept;
}

const invalid = (message: string): ReplayError =>
  new ReplayError("request-invalid", message);
