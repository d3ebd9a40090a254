// Cuts a filter into its terms, by hand, so that every mistake has a place.

/** One term as it is written. */
export interface Token {
  readonly negated: boolean;
  /** Lower case; absent for free words. */
  readonly key?: string;
  /** At least one; exactly one for free words. */
  readonly values: readonly {
    readonly text: string;
    readonly position: number;
  }[];
  readonly position: number;
}

/** @param fail throws */
export function readTokens(
  text: string,
  fail: (message: string, position: number) => never,
): Token[] {
  const tokens: Token[] = [];
  let at = 0;

  const readQuoted = (): string => {
    const start = at++;
    let value = "";
    for (; text[at] !== '"'; at++) {
      if (text[at] === "\\" && /["\\]/.test(text[at + 1] ?? "")) at++;
      if (at >= text.length) fail("This quote is not closed.", start);
      value += text[at];
    }
    at++;
    if (at < text.length && !/[\s,]/.test(text[at]!))
      fail("A blank is missing behind the quote.", at);
    return value;
  };

  const readPlain = (end: RegExp): string => {
    const start = at;
    while (at < text.length && !end.test(text[at]!)) at++;
    return text.slice(start, at);
  };

  const readValues = (key: string): Token["values"] => {
    const values = [];
    for (;;) {
      const position = at;
      const value = text[at] === '"' ? readQuoted() : readPlain(/[\s,]/);
      if (value === "") fail(`A value is missing for ${key}:`, position);
      values.push({ text: value, position });
      if (text[at] !== ",") return values;
      at++;
    }
  };

  const readToken = (): Token => {
    const position = at;
    const negated = text[at] === "-";
    if (negated) at++;
    if (at >= text.length || isBlank(text[at]!))
      fail(
        "A minus stands right before the term that must not hold.",
        position,
      );
    const start = at;
    const [, written] = KEY.exec(text.slice(at, at + MAX_KEY)) ?? [];
    if (written !== undefined) {
      at += written.length + 1;
      const key = written.toLowerCase();
      return { negated, key, values: readValues(key), position: start };
    }
    const word = text[at] === '"' ? readQuoted() : readPlain(/\s/);
    if (word === "") fail("There is nothing between these quotes.", start);
    return {
      negated,
      values: [{ text: word, position: start }],
      position: start,
    };
  };

  for (;;) {
    while (at < text.length && isBlank(text[at]!)) at++;
    if (at >= text.length) return tokens;
    tokens.push(readToken());
  }
}

const MAX_KEY = 40;
const KEY = /^([A-Za-z][A-Za-z-]*):/;

const isBlank = (character: string): boolean => /\s/.test(character);
