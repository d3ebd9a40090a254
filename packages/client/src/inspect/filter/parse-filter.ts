// The filter language: `method:POST status:>=400 -path:/health "out of stock"` becomes a function over exchanges.
import { filterKeys } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import type { ExchangeFilter } from "../capture.ts";
import { compileTerm, isFilterKey } from "./terms.ts";
import { readTokens, type Token } from "./tokens.ts";
import { createBodySearch, type Subject, type Term } from "./subject.ts";
import { ValueError } from "./values.ts";
import { compileWords } from "./words.ts";

/** A filter that cannot be read: `filter-invalid` with the place. */
export class FilterError extends ExposeError {
  override name = "FilterError";
  /** Characters (UTF-16 units) before the one where the filter breaks. */
  readonly position: number;

  constructor(message: string, position: number) {
    super("filter-invalid", message);
    this.position = position;
  }
}

/**
 * Compiles a filter. The table of its keys is `filterKeys` of the protocol; docs/filters.md shows it. There are no
 * regular expressions of the user's in it, so that no filter takes more than linear time.
 *
 * @param text empty or blank: everything matches
 * @param now milliseconds since 1970 that `since:10m` counts from; it is fixed for the life of the filter
 * @throws FilterError with the position, and the nearest key for one that does not exist
 */
export function parseFilter(text: string, now = Date.now()): ExchangeFilter {
  if (text.length > MAX_LENGTH)
    throw new FilterError(
      `A filter may be ${MAX_LENGTH} characters long, and this one has ${text.length}.`,
      MAX_LENGTH,
    );
  const tokens = readTokens(text, (message, position) => {
    throw new FilterError(message, position);
  });
  if (tokens.length > MAX_TERMS)
    throw new FilterError(
      `A filter may have ${MAX_TERMS} terms, and this one has ${tokens.length}.`,
      tokens[MAX_TERMS]!.position,
    );
  const terms = tokens
    .map((token) => compile(token, now))
    // What reads bodies comes last: most exchanges are sorted out before.
    .sort((a, b) => Number(a.needsBodies) - Number(b.needsBodies));
  return {
    needsBodies: terms.some(({ needsBodies }) => needsBodies),
    matches(exchange, bodies) {
      const subject: Subject = {
        exchange,
        search: createBodySearch(exchange, bodies),
      };
      return terms.every(({ holds }) => holds(subject));
    },
  };
}

const MAX_LENGTH = 1_000;
const MAX_TERMS = 40;

function compile(token: Token, now: number): Term {
  const { needsBodies, holds } = compileTokens(token, now);
  return token.negated
    ? { needsBodies, holds: (subject) => !holds(subject) }
    : { needsBodies, holds };
}

function compileTokens({ key, values, position }: Token, now: number): Term {
  if (key === undefined) return compileWords(values[0]!.text);
  if (!isFilterKey(key))
    throw new FilterError(explainUnknownKey(key), position);
  const alternatives = values.map(({ text, position: at }) => {
    try {
      return compileTerm(key, text, now);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new FilterError(`${key}: ${error.message}`, at);
    }
  });
  return {
    needsBodies: alternatives.some(({ needsBodies }) => needsBodies),
    holds: (subject) => alternatives.some(({ holds }) => holds(subject)),
  };
}

function explainUnknownKey(key: string): string {
  const known = filterKeys.map((entry) => entry.key);
  const meant = nearest(key, known);
  return meant
    ? `There is no key ${key}: is it ${meant}:? To look for the text itself, put it into quotes.`
    : `There is no key ${key}: there are ${known.join(", ")}. To look for the text itself, put it into quotes.`;
}
