// Makes text from strangers fit for a terminal or a log line: nothing in it can move a cursor, forge a line or hide.

// C0 and DEL move cursors and forge lines (CVE-2003-0020, CVE-2009-4487); C1 does the same with a single character in
// terminals that honour it (U+009B is "ESC ["); the bidi marks and U+2028/2029 reorder or break what a reader sees; the
// zero-width and tag characters hide text; a lone surrogate has no UTF-8 form.
const UNSAFE =
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/**
 * Escapes what must not reach a terminal or a log as it is, each as `\uXXXX`. The rest, letters of every script
 * included, stays.
 *
 * Meant for reading: a backslash is left alone, so text that held the six characters `\u001b` looks the same as an
 * escaped ESC. Where that matters, escape the output of JSON.stringify: it has doubled the backslashes, and what is
 * added here are JSON escapes, so a parser gets the original back.
 */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, escapeMatch);
}

/** Cuts text to `maxLength` UTF-16 units and says how many were left out. Cut first, escape afterwards. */
export function cut(text: string, maxLength: number): string {
  return text.length <= maxLength
    ? text
    : `${text.slice(0, maxLength)}…(+${text.length - maxLength})`;
}

function escapeMatch(match: string): string {
  let escaped = "";
  for (let i = 0; i < match.length; i++)
    escaped += `\\u${match.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return escaped;
}
