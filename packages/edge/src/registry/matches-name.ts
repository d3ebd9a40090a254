// Which names an identity may claim.
import type { Identity } from "./identity.ts";

/** Whether the users file grants a name to an identity. Reserved and malformed names are refused elsewhere. */
export const matchesName = (identity: Identity, name: string): boolean =>
  identity.names === undefined ||
  identity.names.some((pattern) => matchesPattern(pattern, name));

/** Whether a text matches a pattern in which `*` stands for any run of characters, none included. */
export function matchesPattern(pattern: string, text: string): boolean {
  // Pieces in order, each as early as possible: linear, where a regular expression with many stars is not.
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
