// Makes text from elsewhere safe to print: a visitor's path must not move the cursor, retitle the window, hide text or
// make up a line of its own (CVE-2009-4487 and its kin).

// Cc is C0, DEL and C1, which drive terminals, 8-bit ones as well as UTF-8 ones. Cf has the bidi controls, which reorder
// what is shown, and what hides itself; the joiners U+200C and U+200D stay, because scripts and emoji need them. Zl and
// Zp break lines in some terminals, and lone surrogates (Cs) cannot be encoded.
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu;

/** Gives one line of printable text: what is unsafe becomes `\x1b` or `\u{202e}`. Newlines are unsafe too. */
export function escapeForTerminal(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    return code <= 0xff
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u{${code.toString(16)}}`;
  });
}

/** As {@link escapeForTerminal}, with newlines kept: for our own messages of several lines that quote foreign text. */
export function escapeLines(text: string): string {
  return text.split("\n").map(escapeForTerminal).join("\n");
}
