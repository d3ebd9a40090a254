// A request as a text that a person edits, and what was changed in it.
import type {
  CapturedRequest,
  HeaderLine,
  ReplayOrder,
} from "@expose/protocol";
import { ExposeError } from "../errors.ts";

/** What is edited: the request, and its body as text, decoded; absent when it is no text. */
export interface EditableRequest {
  readonly request: CapturedRequest;
  readonly bodyText: string | undefined;
  /** Whether a content coding was undone for the text. */
  readonly decoded: boolean;
}

const INTRODUCTION = `# Save and close to send this request; leave nothing to send nothing.
# Content-Length is made right, whatever it says.`;
const NO_TEXT = "# The body is no text: it is sent as it was.";

/** Writes the text. */
export function writeEditText({ request, bodyText }: EditableRequest): string {
  return [
    INTRODUCTION,
    ...(bodyText === undefined ? [NO_TEXT] : []),
    headOf(request),
    "",
    bodyText ?? "",
  ].join("\n");
}

const headOf = ({ method, target, headers }: CapturedRequest): string =>
  [
    `${method} ${target}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ].join("\n");

/**
 * Reads what became of the text.
 *
 * @returns only what differs from the request, so that all else stays as it was, byte for byte; undefined when nothing
 * was left
 * @throws ExposeError `usage-invalid` with the line
 */
export function readEditText(
  text: string,
  original: EditableRequest,
): ReplayOrder | undefined {
  const { request, bodyText, decoded } = original;
  const { head, body, firstLine } = split(text);
  if (head.length === 0 && body.trim() === "") return undefined;
  const [start = "", ...lines] = head;
  const [, method, target] =
    /^(\S+) +(\S+)(?: +HTTP\/1\.[01])?$/.exec(start.trim()) ?? [];
  if (method === undefined || target === undefined)
    throw invalid(firstLine, "expected a method and a target, as in GET /path");
  let headers: readonly HeaderLine[] = lines.map((line, i) =>
    readHeader(line, firstLine + 1 + i),
  );
  const order: {
    -readonly [K in keyof ReplayOrder]: ReplayOrder[K];
  } = {};
  if (method !== request.method) order.method = method;
  if (target !== request.target) order.target = target;
  const bodyChanged =
    bodyText === undefined
      ? body.trim() !== ""
      : // Editors end a file with a line break, which was not in the body.
        body !== bodyText && body !== `${bodyText}\n`;
  if (bodyChanged) {
    const sent =
      bodyText !== undefined && bodyText.endsWith("\n")
        ? body
        : body.replace(/\n$/, "");
    order.body = Buffer.from(sent).toString("base64");
    // The text is not coded any more.
    if (decoded)
      headers = headers.filter(
        ([name]) => name.toLowerCase() !== "content-encoding",
      );
  }
  if (!sameHeaders(headers, request.headers)) order.headers = headers;
  return order;
}

function split(text: string): {
  head: string[];
  body: string;
  firstLine: number;
} {
  const lines = text.split("\n");
  let start = 0;
  while (
    start < lines.length &&
    (lines[start]!.startsWith("#") || lines[start]!.trim() === "")
  )
    start++;
  let end = start;
  while (end < lines.length && lines[end]!.trim() !== "") end++;
  return {
    head: lines.slice(start, end).map((line) => line.replace(/\r$/, "")),
    body: lines.slice(end + 1).join("\n"),
    firstLine: start + 1,
  };
}

function readHeader(line: string, place: number): HeaderLine {
  const colon = line.indexOf(":");
  if (colon < 1) throw invalid(place, "expected a header, as in Name: value");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

const sameHeaders = (
  a: readonly HeaderLine[],
  b: readonly HeaderLine[],
): boolean =>
  a.length === b.length &&
  a.every(([name, value], i) => name === b[i]![0] && value === b[i]![1]);

const invalid = (line: number, what: string): ExposeError =>
  new ExposeError(
    "usage-invalid",
    `Line ${line} of the edited request: ${what}.`,
  );
