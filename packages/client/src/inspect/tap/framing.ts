// How long a message's body is (RFC 9112 section 6.3).
import type { HeaderLine } from "@expose/protocol";

/** How the end of a body is told. */
export interface BodyPlan {
  readonly framing: "none" | "length" | "chunked" | "close";
  /** Bytes, for `length`. */
  readonly length: number;
}

export const NO_BODY: BodyPlan = { framing: "none", length: 0 };
const CHUNKED: BodyPlan = { framing: "chunked", length: 0 };
export const UNTIL_CLOSE: BodyPlan = { framing: "close", length: 0 };

/** Rules 4 to 7: what the headers of a request say. */
export function planRequestBody(headers: readonly HeaderLine[]): BodyPlan {
  return planBody(headers) ?? NO_BODY;
}

/**
 * Rules 1 to 5 and 8: what status, the request's method and the headers of a response say.
 *
 * @param method of the request
 */
export function planResponseBody(
  status: number,
  method: string,
  headers: readonly HeaderLine[],
): BodyPlan {
  if (method === "HEAD" || !mayHaveBody(status)) return NO_BODY;
  if (method === "CONNECT" && status < 300) return NO_BODY;
  return planBody(headers) ?? UNTIL_CLOSE;
}

export const mayHaveBody = (status: number): boolean =>
  status >= 200 && status !== 204 && status !== 304;

// @returns undefined when neither field is there
function planBody(headers: readonly HeaderLine[]): BodyPlan | undefined {
  let codings = "";
  let length: string | undefined;
  for (const [name, value] of headers) {
    // The two names are the only ones of interest that are as long.
    if (name.length === 17 && name.toLowerCase() === "transfer-encoding")
      codings += `,${value}`;
    else if (name.length === 14 && name.toLowerCase() === "content-length")
      length ??= value;
  }
  if (codings !== "") return planCodings(codings);
  return length === undefined ? undefined : planLength(length);
}

/** @param codings value of Transfer-Encoding */
export const planCodings = (codings: string): BodyPlan =>
  /(?:^|,)[ \t]*chunked[ \t]*$/i.test(codings) ? CHUNKED : UNTIL_CLOSE;

/** The parser has looked that it is a number, and that several are the same. */
export function planLength(value: string): BodyPlan {
  const length = Number(/^\d{1,15}/.exec(value)?.[0] ?? 0);
  return length === 0 ? NO_BODY_LENGTH : { framing: "length", length };
}

// "Content-Length: 0" is told by its length, and over at once.
const NO_BODY_LENGTH: BodyPlan = { framing: "length", length: 0 };
