import { expect, test } from "vitest";
import type { RequestInfo } from "../../tunnel.ts";
import { formatClock, formatDuration, formatRequest } from "./format.ts";

test.each([
  [0.4, "<1 ms"],
  [1, "1 ms"],
  [12.4, "12 ms"],
  [999.4, "999 ms"],
  [999.6, "1.0 s"],
  [1_234, "1.2 s"],
  [59_940, "59.9 s"],
  [59_960, "1 min 0 s"],
  [123_000, "2 min 3 s"],
  [3_900_000, "1 h 5 min"],
])("%d ms reads as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("the clock shows two digits each", () => {
  expect(formatClock(new Date(2026, 0, 2, 3, 4, 5))).toBe("03:04:05");
});

const request: RequestInfo = {
  method: "GET",
  path: "/a",
  status: 200,
  durationMs: 12,
  visitor: "203.0.113.5",
  bytesIn: 1,
  bytesOut: 2,
  error: undefined,
  dropped: 0,
};

test("a request is one line, whatever the visitor sent", () => {
  expect(formatRequest(request)).toBe("GET /a 200 12 ms");
  expect(
    formatRequest({ ...request, path: "/\x1b[2J\u202e\n", status: 0 }),
  ).toBe("GET /\\x1b[2J\\u{202e}\\x0a --- 12 ms");
  expect(
    formatRequest({ ...request, status: 502, error: "upstream-down" }),
  ).toBe("GET /a 502 12 ms (upstream-down)");
});

test("a webhook's verdict stands behind its request, whatever its sender wrote", () => {
  const webhook = { provider: "stripe", event: "invoice.\x1b[2Jpaid" } as const;
  expect(
    formatRequest({ ...request, webhook: { ...webhook, verdict: "verified" } }),
  ).toBe("GET /a 200 12 ms stripe invoice.\\x1b[2Jpaid ✓");
  expect(
    formatRequest({
      ...request,
      webhook: {
        ...webhook,
        verdict: "failed",
        code: "timestamp-old",
        reason: "It is old.",
      },
    }),
  ).toBe("GET /a 200 12 ms stripe invoice.\\x1b[2Jpaid ✗ It is old.");
});
