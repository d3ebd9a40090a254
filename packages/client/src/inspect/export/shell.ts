// Words for POSIX shells (POSIX.1-2024, Shell Command Language, section 2.2), safe in interactive ones too.

/** Quotes text without NUL: within single quotes nothing means anything, line breaks, `$`, `!` and backslashes included. */
export const quoteWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith("=")
    ? text
    : `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Quotes a text of ISO 8859-1 as these bytes: what is not ASCII goes through printf, because scripts are in UTF-8. A `!`
 * goes the same way: between the double quotes around, some interactive shells put a line of the history in its place.
 */
export function quoteLatin1(text: string): string {
  if (/^[\x20-\x7e\t]*$/.test(text)) return quoteWord(text);
  const format = Array.from(Buffer.from(text, "latin1"), (byte) =>
    byte >= 0x20 &&
    byte <= 0x7e &&
    !`%\\'"$!\``.includes(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `\\${byte.toString(8).padStart(3, "0")}`,
  ).join("");
  return `"$(printf '${format}')"`;
}

/** Feeds bytes to a command's stdin through base64, with a name for the here-document's end that does not occur in it. */
export const feedBase64 = (bytes: Buffer, command: string): string =>
  `base64 -d <<'BODY' | ${command}\n${bytes
    .toString("base64")
    .replace(/(.{76})/g, "$1\n")
    .trimEnd()}\nBODY`;

/** Comment lines; the text cannot break out of them. */
export const comment = (text: string | undefined): string =>
  text === undefined ? "" : `# ${text.replace(/\p{Cc}/gu, " ")}\n`;

// Linux takes 128 KiB for one argument.
const MAX_ARGUMENT_BYTES = 100_000;

/** Whether a body can stand in the command line itself. */
export const fitsArgument = (text: string | undefined): text is string =>
  text !== undefined && Buffer.byteLength(text) <= MAX_ARGUMENT_BYTES;
