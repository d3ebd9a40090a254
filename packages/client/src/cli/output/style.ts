// Colours, or none: every style is a function from text to text. Colour only repeats what the words say already.

/** The styles that the CLI uses. Text must be cut to its width before it is styled. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** @param enabled false: each function gives its text back unchanged */
export function createStyle(enabled: boolean): Style {
  // SGR (ECMA-48 section 8.3.117): each style has its own "off", so that styles can be nested.
  const sgr = (on: number, off: number) =>
    enabled
      ? (text: string) => (text === "" ? "" : `\x1b[${on}m${text}\x1b[${off}m`)
      : (text: string) => text;
  return {
    bold: sgr(1, 22),
    dim: sgr(2, 22),
    red: sgr(31, 39),
    green: sgr(32, 39),
    yellow: sgr(33, 39),
    cyan: sgr(36, 39),
  };
}
