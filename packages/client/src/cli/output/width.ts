// How many terminal columns text takes: East Asian wide characters and emoji take two, combining marks none.

// Made when it is first needed: that takes 10 ms, which is a tenth of the whole start.
let segmenter: Intl.Segmenter | undefined;
const segmentsOf = (text: string): Intl.Segments =>
  (segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" })).segment(
    text,
  );

// Unicode Standard Annex #11: what terminals show in two columns, as ranges of code points. Blocks whose few narrow
// members nobody meets in a path are taken whole; an estimate that is too large costs a column, one too small breaks
// the layout.
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18aff],
  [0x1aff0, 0x1b2ff],
  [0x20000, 0x3fffd],
];
const EMOJI = /^\p{Emoji_Presentation}/u;
const ZERO_WIDTH = /^[\p{Mark}\u200c\u200d]$/u;
const PLAIN_ASCII = /^[\x20-\x7e]*$/;
const EMOJI_VARIATION_SELECTOR = "\ufe0f";

/** Columns that `text` takes. The text must be escaped already: control characters count as nothing sensible. */
export function textWidth(text: string): number {
  if (PLAIN_ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmentsOf(text)) width += graphemeWidth(segment);
  return width;
}

/** Cuts `text` to at most `columns`, with an ellipsis in the last one when something was cut off. */
export function fitWidth(text: string, columns: number): string {
  if (columns <= 0) return "";
  if (textWidth(text) <= columns) return text;
  let result = "";
  let width = 0;
  for (const { segment } of segmentsOf(text)) {
    const next = graphemeWidth(segment);
    if (width + next > columns - 1) break;
    result += segment;
    width += next;
  }
  return `${result}…`;
}

/** Cuts `text` into pieces of at most `columns` each: for what has to be shown whole, such as a URL. */
export function wrapWidth(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  let width = 0;
  for (const { segment } of segmentsOf(text)) {
    const next = graphemeWidth(segment);
    if (width + next > columns && line !== "") {
      lines.push(line);
      line = "";
      width = 0;
    }
    line += segment;
    width += next;
  }
  lines.push(line);
  return lines;
}

/** Fills `text` up with blanks to `columns`. Longer text stays as it is. */
export function padWidth(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - textWidth(text)));
}

function graphemeWidth(grapheme: string): number {
  if (
    grapheme.includes(EMOJI_VARIATION_SELECTOR) ||
    EMOJI.test(grapheme) ||
    isWide(grapheme.codePointAt(0)!)
  )
    return 2;
  return ZERO_WIDTH.test(grapheme) ? 0 : 1;
}

function isWide(code: number): boolean {
  return WIDE.some(([from, to]) => code >= from && code <= to);
}
