// Where in a text something stands, as editors count it.

/** @returns line and column, both from 1; the column in UTF-16 units */
export function placeOf(
  text: string,
  at: number,
): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (;;) {
    const end = text.indexOf("\n", start);
    if (end === -1 || end >= at) return { line, column: at - start + 1 };
    line++;
    start = end + 1;
  }
}
