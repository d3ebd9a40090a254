import { expect, test } from "vitest";
import { explainUselessQr, renderQr } from "./qr.ts";

test("a QR code fits into a terminal of 80 columns and 24 rows", () => {
  const lines = renderQr(
    "https://a-name-of-some-length.tunnel.example.com",
    false,
  );
  expect(lines.length).toBeLessThan(24);
  expect(lines[0]!.length).toBeLessThan(80);
  expect(new Set(lines.join(""))).toEqual(new Set(["█", "▀", "▄", " "]));
});

test("the three finder patterns are where a scanner looks for them", () => {
  const lines = renderQr("https://a.example", false);
  // Two modules of quiet zone, then the ring of a finder pattern: seven dark modules, left and right.
  expect(lines[0]).toMatch(/^█+$/);
  expect(lines[1]!.slice(0, 10)).toBe("██ ▄▄▄▄▄ █");
  expect(lines[1]!.slice(-10)).toBe("█ ▄▄▄▄▄ ██");
  const size = lines[0]!.length;
  expect(size).toBe(21 + 4);
});

test("with colours each line sets and resets its own", () => {
  for (const line of renderQr("https://a.example", true))
    expect(line.replace(/[█▀▄ ]+/, "|")).toBe("\x1b[38;5;231;48;5;16m|\x1b[0m");
});

test.each([
  "http://shop.localhost:8000",
  "http://localhost:8000",
  "http://127.0.0.1:8000",
  "http://127.8.8.8",
  "http://[::1]:8000",
])("%s is of no use on another device", (url) => {
  expect(explainUselessQr(url)).toContain("another device cannot open");
});

test.each([
  "https://shop.tunnel.example.com",
  "http://shop.192-168-1-5.sslip.io:8000",
  "http://192.168.1.5:8000",
  "http://127.example.com/",
  "http://notlocalhost/",
])("%s can be opened on another device", (url) => {
  expect(explainUselessQr(url)).toBeUndefined();
});
