import { expect, test } from "vitest";
import { fitWidth, padWidth, textWidth, wrapWidth } from "./width.ts";

test.each([
  ["", 0],
  ["/api/users", 10],
  ["日本語", 6],
  ["한국", 4],
  ["ﾊﾝ", 2],
  ["é", 1],
  ["e\u0301", 1],
  ["👍", 2],
  ["👩‍👩‍👧", 2],
  ["❤️", 2],
  ["…", 1],
])("%j takes %d columns", (text, width) => {
  expect(textWidth(text)).toBe(width);
});

test("text is cut with an ellipsis and never in the middle of a character", () => {
  expect(fitWidth("/api/users", 10)).toBe("/api/users");
  expect(fitWidth("/api/users", 9)).toBe("/api/use…");
  expect(fitWidth("日本語", 5)).toBe("日本…");
  expect(fitWidth("日本語", 4)).toBe("日…");
  expect(fitWidth("ab", 1)).toBe("…");
  expect(fitWidth("ab", 0)).toBe("");
});

test("text that must be shown whole is wrapped", () => {
  expect(wrapWidth("https://a.example", 8)).toEqual([
    "https://",
    "a.exampl",
    "e",
  ]);
  expect(wrapWidth("日本語", 3)).toEqual(["日", "本", "語"]);
});

test("padding counts columns, not code units", () => {
  expect(padWidth("日本", 6)).toBe("日本  ");
  expect(padWidth("long", 2)).toBe("long");
});
