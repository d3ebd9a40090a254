// An exchange as a call of fetch, for Node and, with a text body, for browsers.
import type { StoredExchange } from "../capture.ts";
import {
  explainNoFetch,
  fetchOptions,
  lineComment,
  literal,
} from "./javascript.ts";
import { explainMissing, toSentRequest } from "./sent-request.ts";

/** @param stored one that checkRequest() let pass */
export function toFetch({ exchange, bodies }: StoredExchange): string {
  const request = toSentRequest(exchange, bodies.request)!;
  return `${lineComment(explainMissing(request))}${lineComment(explainNoFetch(request))}const response = await fetch(${literal(request.url)}, {
${fetchOptions(request, "  ")}
});
console.log(response.status, await response.text());
`;
}
