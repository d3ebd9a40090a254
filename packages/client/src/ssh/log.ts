// What ssh/ tells whoever watches it. Sentences for a person; nothing in them is secret, and control characters that
// came from outside are escaped.

/** Hears what happens on the way to a connection. */
export interface SshLog {
  /** Progress: which key is opened, what the server says before the login. */
  info(message: string): void;
  /** Something that was left out or done otherwise than the person may expect. */
  warn(message: string): void;
}

/** For callers that do not listen. */
export const silentLog: SshLog = { info() {}, warn() {} };

/** Makes text from outside fit to print: control characters escaped, length bounded. */
export function printable(text: string, maxLength = 200): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}
