// Cuts JSON text into pieces that are coloured. It need not be valid, and may be cut anywhere.

export interface JsonToken {
  readonly kind: "key" | "string" | "number" | "word" | "plain";
  readonly text: string;
}

// A string (perhaps cut) with what tells that it is a key, a number, a word. Each branch takes linear time.
const TOKEN =
  /("(?:[^"\\]|\\[^])*"?)(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

/** The pieces in order; joined they are the text. */
export function tokenizeJson(text: string): JsonToken[] {
  const tokens: JsonToken[] = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [whole, string, colon, number] = match;
    if (match.index > at)
      tokens.push({ kind: "plain", text: text.slice(at, match.index) });
    at = match.index + whole.length;
    if (string === undefined) {
      tokens.push({
        kind: number === undefined ? "word" : "number",
        text: whole,
      });
      continue;
    }
    tokens.push({ kind: colon === undefined ? "string" : "key", text: string });
    if (colon !== undefined) tokens.push({ kind: "plain", text: colon });
  }
  if (at < text.length) tokens.push({ kind: "plain", text: text.slice(at) });
  return tokens;
}
