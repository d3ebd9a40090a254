// Text with `*` in it, matched without regular expressions: the pieces between the stars are found one behind the other,
// which is right for the leftmost place of each, and cannot backtrack.

type Matcher = (text: string) => boolean;

/** The whole text is the pattern, in either case. */
export function matchWhole(pattern: string): Matcher {
  const pieces = pattern.toLowerCase().split("*");
  const first = pieces.shift()!;
  const last = pieces.pop();
  if (last === undefined) return (text) => text.toLowerCase() === first;
  return (text) => {
    const folded = text.toLowerCase();
    const end = folded.length - last.length;
    if (
      !folded.startsWith(first) ||
      end < first.length ||
      !folded.endsWith(last)
    )
      return false;
    const at = findInOrder(folded, pieces, first.length);
    return at !== -1 && at <= end;
  };
}

/** The text contains the pattern, in either case. */
export function matchContaining(pattern: string): Matcher {
  const pieces = pattern.toLowerCase().split("*");
  return (text) => findInOrder(text.toLowerCase(), pieces, 0) !== -1;
}

/** @returns where the last piece ends; -1 when one is missing */
function findInOrder(
  text: string,
  pieces: readonly string[],
  from: number,
): number {
  let at = from;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found === -1) return -1;
    at = found + piece.length;
  }
  return at;
}
