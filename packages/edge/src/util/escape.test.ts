import { describe, expect, it } from "vitest";
import { cut, escapeControls } from "./escape.ts";

// Written as numbers: this file must not hold the characters that it is about.
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const hex = (code: number): string => code.toString(16).padStart(4, "0");

describe("escapeControls", () => {
  it("leaves no control byte of 0 to 255 as it is, and no printable one changed", () => {
    for (const code of range(0, 255)) {
      const printable =
        (code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code !== 0xad);
      const text = String.fromCharCode(code);
      expect(escapeControls(`a${text}b`)).toBe(
        printable ? `a${text}b` : `a\\u${hex(code)}b`,
      );
    }
  });

  it.each([
    ["C1", range(0x80, 0x9f)],
    [
      "bidi marks and overrides",
      [
        0x061c,
        0x200e,
        0x200f,
        ...range(0x202a, 0x202e),
        ...range(0x2066, 0x2069),
      ],
    ],
    ["line and paragraph separators", [0x2028, 0x2029]],
    [
      "invisible characters",
      [0x00ad, 0x180e, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff],
    ],
    ["lone surrogates", [0xd800, 0xdbff, 0xdc00, 0xdfff]],
  ])("escapes %s", (_, codes) => {
    for (const code of codes)
      expect(escapeControls(String.fromCharCode(code))).toBe(`\\u${hex(code)}`);
  });

  it("escapes tag characters, which hide text, as their two surrogates", () => {
    expect(escapeControls(String.fromCodePoint(0xe0041))).toBe(
      "\\udb40\\udc41",
    );
  });

  it("keeps the letters of every script and whole emoji", () => {
    const text = "Grüße, мир, 世界, שלום, 🚀";
    expect(escapeControls(text)).toBe(text);
  });

  it("gives back the original through a JSON parser when it is put behind JSON.stringify", () => {
    const text = range(0, 0x2100)
      .map((code) => String.fromCharCode(code))
      .join("");
    const line = escapeControls(JSON.stringify(`${text}\\u001b`));
    expect(line).not.toMatch(/[^\x20-\x7e\u00a0-\u2100]/);
    expect(JSON.parse(line)).toBe(`${text}\\u001b`);
  });
});

describe("cut", () => {
  it("keeps what fits and says how much it left out of the rest", () => {
    expect(cut("abc", 3)).toBe("abc");
    expect(cut("abcdef", 3)).toBe("abc…(+3)");
  });

  it("leaves no half of an emoji unescaped when it cuts between its surrogates", () => {
    expect(escapeControls(cut("🚀🚀", 1))).toBe("\\ud83d…(+3)");
  });
});
