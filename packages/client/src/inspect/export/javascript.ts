// Pieces of JavaScript source that captured values become. Whatever the value, it stays a literal.
import { valueOf } from "../header-values.ts";
import type { SentRequest } from "./sent-request.ts";

/** A string literal, ASCII alone, so that it says the same in any encoding and reads the same in any editor. */
export const literal = (text: string): string => toAscii(JSON.stringify(text));

/** The same JSON with everything beyond ASCII escaped. */
export const toAscii = (json: string): string =>
  json.replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** The lines of fetch's options, without their braces. */
export function fetchOptions(request: SentRequest, indent: string): string {
  const { method, headers, body, text } = request;
  const lines = [`method: ${literal(method)},`];
  if (headers.length > 0)
    lines.push(
      "headers: [",
      ...headers.map(
        ([name, value]) => `  [${literal(name)}, ${literal(value)}],`,
      ),
      "],",
    );
  if (body.length > 0)
    lines.push(
      // A string without a type would get text/plain.
      text === undefined
        ? `body: Buffer.from(${literal(body.toString("base64"))}, "base64"),`
        : valueOf(headers, "content-type") !== undefined
          ? `body: ${literal(text)},`
          : `body: Buffer.from(${literal(text)}),`,
    );
  lines.push(`redirect: "manual",`);
  return lines.map((line) => indent + line).join("\n");
}

/** Why fetch will not send a request; undefined when it does. */
export const explainNoFetch = ({
  method,
  body,
}: SentRequest): string | undefined =>
  /^(?:connect|trace|track)$/i.test(method)
    ? `fetch does not send ${method}.`
    : body.length > 0 && /^(?:get|head)$/i.test(method)
      ? `fetch sends no body with ${method}.`
      : undefined;

/** A line comment; the text cannot break out of it. */
export const lineComment = (text: string | undefined): string =>
  text === undefined
    ? ""
    : `// ${text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")}\n`;
