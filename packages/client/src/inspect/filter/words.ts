// Free words: looked for in the URL and the headers first, and in the bodies when they are in neither.
import type {
  CapturedRequest,
  CapturedResponse,
  Exchange,
} from "@expose/protocol";
import { createNeedle, type Term } from "./subject.ts";

export function compileWords(text: string): Term {
  const needle = createNeedle(text);
  return {
    needsBodies: true,
    holds: ({ exchange, search }) =>
      inUrl(exchange, needle.folded) ||
      inHeaders(exchange.request, needle.folded) ||
      inHeaders(exchange.response, needle.folded) ||
      search(needle),
  };
}

const inUrl = (
  { origin, host, target, method }: Exchange,
  folded: string,
): boolean =>
  `${method} ${origin}${target}`.toLowerCase().includes(folded) ||
  `${host}${target}`.toLowerCase().includes(folded);

const inHeaders = (
  message: CapturedRequest | CapturedResponse | undefined,
  folded: string,
): boolean =>
  message !== undefined &&
  [...message.headers, ...message.trailers].some(([name, value]) =>
    `${name}: ${value}`.toLowerCase().includes(folded),
  );
