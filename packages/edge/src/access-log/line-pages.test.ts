import { expect, test } from "vitest";
import { LinePages } from "./line-pages.ts";

const text = (pages: LinePages): string => {
  let all = "";
  for (let page = pages.take(); page; page = pages.take()) {
    expect(page.bytes.toString().split("\n").length - 1).toBe(page.lines);
    all += page.bytes.toString();
  }
  return all;
};

test("lines come back whole and in order, whatever their length and alphabet", () => {
  const pages = new LinePages();
  let expected = "";
  for (let i = 0; i < 3_000; i++) {
    const line = `${i} ${["a", "é", "日", "😀"][i % 4]!.repeat((i * 37) % 900)}\n`;
    pages.add(line);
    expected += line;
    // Taken in between, a page is shorter, and nothing is written over.
    if (i % 700 === 0) expect(expected.startsWith(text(pages))).toBe(true);
    if (i % 700 === 0) expected = "";
  }
  expect(pages.lines).toBe(199);
  expect(text(pages)).toBe(expected);
  expect([pages.lines, pages.bytes, pages.hasFull]).toEqual([0, 0, false]);
});

test("a line longer than a page has one of its own", () => {
  const pages = new LinePages();
  const long = `${"x".repeat(200_000)}\n`;
  pages.add("short\n");
  pages.add(long);
  expect(pages.take()?.bytes.toString()).toBe("short\n");
  expect(pages.take()?.bytes.toString()).toBe(long);
  expect(pages.take()).toBeUndefined();
});
