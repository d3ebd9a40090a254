// Reads a .http file: requests behind `###`, comments, headers, and bodies that are exact (docs/http-files.md).
import type { HeaderLine } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";

/** One request of a file. */
export interface FileRequest {
  /** What stands behind `###`; empty when nothing does. */
  readonly name: string;
  readonly method: string;
  /** A whole URL, or a path when the Host header or the caller says the rest. */
  readonly target: string;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
  /** Path of a file whose bytes are the body, as it is written; `body` is empty then. */
  readonly bodyFile?: string;
  /** Line of its request line, from 1. */
  readonly line: number;
}

/**
 * @param text the file's content
 * @param path for messages
 * @throws ExposeError `http-file-invalid` with the line
 */
export function parseHttpFile(text: string, path: string): FileRequest[] {
  const lines = splitLines(text.replace(/^\ufeff/, ""));
  const fail = (line: number, message: string): never => {
    throw new ExposeError(
      "http-file-invalid",
      `${path}:${line + 1}: ${message}`,
    );
  };
  const requests: FileRequest[] = [];
  for (let at = 0; at < lines.length;) {
    let end = at + 1;
    while (end < lines.length && !lines[end]!.text.startsWith("###")) end++;
    const request = readRequest(lines, at, end, fail);
    if (request) requests.push(request);
    at = end;
  }
  if (requests.length === 0) fail(0, "there is no request in this file.");
  return requests;
}

interface Line {
  readonly text: string;
  /** With its line break, as it stands in the file. */
  readonly whole: string;
}

// The last line may have no break; a break at the end of the file begins no line.
const splitLines = (text: string): Line[] =>
  (text.match(/[^\n]*\n|[^\n]+$/g) ?? []).map((whole) => ({
    whole,
    text: whole.replace(/\r?\n$/, ""),
  }));

type Fail = (line: number, message: string) => never;

function readRequest(
  lines: readonly Line[],
  start: number,
  end: number,
  fail: Fail,
): FileRequest | undefined {
  const first = lines[start]!.text;
  const isSeparator = first.startsWith("###");
  let at = isSeparator ? start + 1 : start;
  let base64 = false;
  for (; at < end; at++) {
    const { text } = lines[at]!;
    if (isComment(text))
      base64 ||= /^(?:#|\/\/)\s*@body\s+base64\s*$/.test(text);
    else if (text.trim() !== "") break;
  }
  if (at >= end) return undefined;
  const line = at + 1;
  const { method, target } = readRequestLine(lines[at]!.text, (message) =>
    fail(at, message),
  );
  const headers: HeaderLine[] = [];
  for (at++; at < end && lines[at]!.text.trim() !== ""; at++) {
    const { text } = lines[at]!;
    if (isComment(text))
      base64 ||= /^(?:#|\/\/)\s*@body\s+base64\s*$/.test(text);
    else headers.push(readHeader(text, (message) => fail(at, message)));
  }
  const bodyAt = at + 1;
  const content = lines
    .slice(bodyAt, end)
    .map(({ whole }) => whole)
    .join("");
  return {
    name: isSeparator ? first.replace(/^#+\s*/, "") : "",
    ...{ method, target, headers, line },
    ...readBody(content, base64, end < lines.length, (message) =>
      fail(bodyAt, message),
    ),
  };
}

const isComment = (text: string): boolean => /^(?:#|\/\/)/.test(text);

function readRequestLine(
  text: string,
  fail: (message: string) => never,
): { method: string; target: string } {
  const words = text.trim().split(/\s+/);
  const [method = "", target] = words;
  // A URL alone is a GET, as editors have it.
  if (words.length === 1 && /^(?:https?:\/\/|\/)/i.test(method))
    return { method: "GET", target: method };
  if (!/^[!#$%&'*+.^_`|~\w-]{1,64}$/.test(method) || target === undefined)
    return fail(
      "expected a request line such as: POST https://example.com/hooks HTTP/1.1",
    );
  if (
    words.length > 3 ||
    (words.length === 3 && !/^HTTP\/1\.[01]$/.test(words[2]!))
  )
    return fail(
      "behind the target there may be HTTP/1.1 and nothing else; blanks in a URL are written %20.",
    );
  if (!/^(?:https?:\/\/[^/?#]|\/|\*$)/i.test(target))
    return fail(
      `the target ${target.slice(0, 60)} is no http URL and no path.`,
    );
  return { method, target };
}

function readHeader(
  text: string,
  fail: (message: string) => never,
): HeaderLine {
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(0, colon));
  const value = text.slice(colon + 1).trim();
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name))
    return fail("expected a header such as: Content-Type: application/json");
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
    return fail(
      `the value of ${name} has characters that no header can have (control characters, or beyond ISO 8859-1).`,
    );
  return [name, value];
}

function readBody(
  content: string,
  base64: boolean,
  othersFollow: boolean,
  fail: (message: string) => never,
): Pick<FileRequest, "body" | "bodyFile"> {
  const [, bodyFile] =
    /^<[ \t]+(\S[^\r\n]*?)[ \t]*(?:\r?\n\s*)?$/.exec(content) ?? [];
  if (bodyFile !== undefined && !base64)
    return { body: Buffer.alloc(0), bodyFile };
  if (base64) {
    const digits = content.replace(/\s+/g, "");
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(digits) || digits.length % 4 !== 0)
      return fail("the body is marked as base64, and is none.");
    return { body: Buffer.from(digits, "base64") };
  }
  // The last line break belongs to the file. Before another request editors like to leave an empty line as well, which
  // then belongs to it too.
  const text = content.replace(othersFollow ? /(?:\r?\n){1,2}$/ : /\r?\n$/, "");
  return { body: Buffer.from(text) };
}
