// What each key of the filter language means. The table of the keys themselves is the protocol's filter-syntax.ts.
import type { Exchange, filterKeys } from "@expose/protocol";
import { matchContaining, matchWhole } from "./match-text.ts";
import { createNeedle, type Term } from "./subject.ts";
import {
  oneOf,
  parseComparison,
  parseDurationMs,
  parseSize,
  parseStatus,
  parseTime,
} from "./values.ts";

/** What may stand before a colon. */
export type FilterKeyName = (typeof filterKeys)[number]["key"];

export const isFilterKey = (key: string): key is FilterKeyName =>
  Object.hasOwn(compilers, key);

/** @throws ValueError what is wrong with the value */
export function compileTerm(
  key: FilterKeyName,
  value: string,
  now: number,
): Term {
  const compiled = compilers[key](value, now);
  return typeof compiled === "function"
    ? { needsBodies: false, holds: ({ exchange }) => compiled(exchange) }
    : compiled;
}

type Compiler = (
  value: string,
  now: number,
) => Term | ((exchange: Exchange) => boolean);

const compilers: Record<FilterKeyName, Compiler> = {
  method: (value) => on(matchWhole(value), ({ method }) => [method]),
  status: (value) => {
    const wanted = parseStatus(value);
    return ({ status }) => wanted(status);
  },
  path: (value) =>
    on(
      value.startsWith("/")
        ? matchWhole(value.endsWith("*") ? value : `${value}*`)
        : matchContaining(value),
      ({ target }) => [target],
    ),
  host: (value) => on(matchContaining(value), ({ host }) => [host]),
  tunnel: (value) => on(matchWhole(value), ({ tunnel }) => [tunnel]),
  visitor: (value) => on(matchWhole(`${value}*`), ({ visitor }) => [visitor]),
  header: compileHeader,
  body: (value) => {
    const needle = createNeedle(value);
    return { needsBodies: true, holds: ({ search }) => search(needle) };
  },
  type: (value) => {
    const kind = value.toLowerCase();
    const contains = matchContaining(value);
    return KINDS.has(kind)
      ? (exchange) => exchange.kind === kind
      : on(contains, ({ requestType, responseType }) => [
          requestType,
          responseType,
        ]);
  },
  state: (value) => {
    const state = oneOf(value, ["open", "complete", "aborted", "broken"]);
    return (exchange) => exchange.state === state;
  },
  since: (value, now) => {
    const time = parseTime(value, now);
    return ({ startedAt }) => startedAt >= time;
  },
  before: (value, now) => {
    const time = parseTime(value, now);
    return ({ startedAt }) => startedAt < time;
  },
  slow: (value) => {
    const long = parseComparison(value, parseDurationMs);
    return ({ durationMs }) => durationMs !== undefined && long(durationMs);
  },
  size: (value) => {
    const large = parseComparison(value, parseSize);
    return ({ requestBytes, responseBytes }) =>
      large(requestBytes + responseBytes);
  },
  webhook: (value) => {
    const wanted = value.toLowerCase();
    if (wanted === "yes") return ({ webhook }) => webhook !== undefined;
    if (wanted === "no") return ({ webhook }) => webhook === undefined;
    return on(matchWhole(value), ({ webhook }) => [webhook?.provider]);
  },
  event: (value) => on(matchWhole(value), ({ webhook }) => [webhook?.event]),
  verdict: (value) => {
    const verdict = oneOf(value, ["verified", "failed", "unchecked"]);
    return ({ webhook }) => webhook?.verdict === verdict;
  },
  replay: (value) => {
    const wanted = value.toLowerCase();
    if (wanted === "yes") return ({ replayOf }) => replayOf !== undefined;
    if (wanted === "no") return ({ replayOf }) => replayOf === undefined;
    return on(matchWhole(`${value}*`), ({ replayOf }) => [replayOf]);
  },
  id: (value) => on(matchWhole(`${value}*`), ({ id }) => [id]),
};

const KINDS: ReadonlySet<string> = new Set([
  "http",
  "websocket",
  "events",
  "raw",
]);

function compileHeader(value: string): (exchange: Exchange) => boolean {
  const equals = value.indexOf("=");
  const isName = matchWhole(equals < 0 ? value : value.slice(0, equals));
  const hasText = matchContaining(equals < 0 ? "" : value.slice(equals + 1));
  return ({ request, response }) =>
    [request, response].some((message) =>
      message?.headers.some(([name, text]) => isName(name) && hasText(text)),
    );
}

function on(
  matches: (text: string) => boolean,
  texts: (exchange: Exchange) => readonly (string | undefined)[],
): (exchange: Exchange) => boolean {
  return (exchange) =>
    texts(exchange).some((text) => text !== undefined && matches(text));
}
