import { expect, test } from "vitest";
import { escapeForTerminal, escapeLines } from "./escape.ts";

test("every C0 and C1 byte and DEL is shown as \\xNN", () => {
  for (let code = 0; code <= 0x9f; code++) {
    if (code >= 0x20 && code < 0x7f) continue;
    const hex = code.toString(16).padStart(2, "0");
    expect(escapeForTerminal(`a${String.fromCharCode(code)}b`)).toBe(
      `a\\x${hex}b`,
    );
  }
});

test("bidi controls, hidden characters and lone surrogates are shown as \\u{…}", () => {
  expect(escapeForTerminal("/\u202egnp.exe")).toBe("/\\u{202e}gnp.exe");
  expect(escapeForTerminal("\u2066a\u2069")).toBe("\\u{2066}a\\u{2069}");
  expect(escapeForTerminal("a\u200bb")).toBe("a\\u{200b}b");
  expect(escapeForTerminal("\u{e0041}")).toBe("\\u{e0041}");
  expect(escapeForTerminal("\ud800")).toBe("\\u{d800}");
});

test("printable text of any script stays as it is", () => {
  const text = "/çà/日本語/👩‍👩‍👧?q=a%1b&b=\\x1b";
  expect(escapeForTerminal(text)).toBe(text);
});

test("newlines stay only where several lines are wanted", () => {
  expect(escapeForTerminal("a\nb")).toBe("a\\x0ab");
  expect(escapeLines("a\nb\x1b[2J")).toBe("a\nb\\x1b[2J");
});
