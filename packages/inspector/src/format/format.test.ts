import { describe, expect, test } from "vitest";
import { fromBase64, toBase64 } from "./base64.ts";
import { formatBytes } from "./bytes.ts";
import { formatDuration } from "./duration.ts";
import { formatHex } from "./hex.ts";
import { tokenizeJson } from "./json-tokens.ts";
import { formatTime } from "./time.ts";
import { describeVerdict } from "./verdict.ts";
import { webAddress } from "./web-address.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1.0 kB"],
  [9_949, "9.9 kB"],
  [9_950, "10 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [1.5e12, "1.5 TB"],
  [3e15, "3000 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0.04, "0.0 ms"],
  [9.94, "9.9 ms"],
  [9.96, "10 ms"],
  [999.4, "999 ms"],
  [999.6, "1.00 s"],
  [9_949, "9.95 s"],
  [12_345, "12.3 s"],
  [59_960, "1 min 0 s"],
  [250_000, "4 min 10 s"],
  [7_500_000, "2 h 5 min"],
])("%d ms are %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("today's times have no date, others do", () => {
  const at = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();
  expect(formatTime(at, at + 1_000)).toBe("03:04:05.006");
  expect(formatTime(at, at + 86_400_000)).toBe("01-02 03:04:05");
});

test("hex dumps have offset, bytes, and what can be read", () => {
  expect(formatHex(new TextEncoder().encode("GET / HTTP/1.1\r\nHost"))).toBe(
    "000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1··\n" +
      "000010  48 6f 73 74                                       Host",
  );
  expect(formatHex(new Uint8Array())).toBe("");
});

test("base64 goes both ways, for many bytes too", () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, at) => at % 256);
  expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
  expect(fromBase64(toBase64(bytes))).toEqual(bytes);
});

describe("JSON is cut into coloured pieces", () => {
  const kinds = (text: string) =>
    tokenizeJson(text)
      .filter(({ kind }) => kind !== "plain")
      .map(({ kind, text: piece }) => `${kind} ${piece}`);

  test("of each kind", () => {
    expect(kinds('{"a": [1, -2.5e3, true, null, "x: \\"y\\""]}')).toEqual([
      'key "a"',
      "number 1",
      "number -2.5e3",
      "word true",
      "word null",
      'string "x: \\"y\\""',
    ]);
  });

  test.each([
    '{"a": 1}',
    '{"cut',
    "",
    "no JSON at all",
    '"\\',
    "[1,2",
    '{"a\\u0000":"<script>"}',
  ])("that are the text again when they are joined: %s", (text) => {
    expect(
      tokenizeJson(text)
        .map((token) => token.text)
        .join(""),
    ).toBe(text);
  });

  test("in linear time", () => {
    const startedAt = performance.now();
    tokenizeJson('"'.repeat(1) + "\\".repeat(300_000));
    tokenizeJson('"a"' + " ".repeat(300_000));
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

test("only origins of the web become links", () => {
  expect(webAddress("https://shop.example.com")).toBe(
    "https://shop.example.com/",
  );
  expect(webAddress("http://shop.localhost:8080")).toBe(
    "http://shop.localhost:8080/",
  );
  for (const text of [
    "javascript:alert(1)",
    "https://user@shop.example.com",
    "https://shop.example.com/%0d%0a",
    "//shop.example.com",
    "data:text/html,x",
    "",
  ])
    expect(webAddress(text)).toBeUndefined();
});

test("a verdict that this page does not know counts as none", () => {
  const verdict = describeVerdict({
    provider: "x",
    verdict: "perhaps" as "failed",
  });
  expect(verdict.text).toBe("not checked");
});
