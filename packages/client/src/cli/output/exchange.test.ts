import { expect, test } from "vitest";
import { makeExchange } from "../../inspect/server/use-store.ts";
import { formatDetail } from "./exchange-detail.ts";
import { formatExchange } from "./exchange-line.ts";
import { formatReplay, formatReplays } from "./replay-table.ts";

// What drives terminals, hides text or makes up lines.
const HOSTILE = "\u001b]0;title\u0007\u009b2J\r\n\u202e\u2028evil";
const captured = (bytes: number) => ({
  trailers: [["T", HOSTILE]] as const,
  headers: [[HOSTILE, HOSTILE]] as const,
  version: "1.1" as const,
  body: { bytes, keptBytes: bytes, framing: "length" as const },
});
const hostile = makeExchange({
  tunnel: HOSTILE,
  origin: HOSTILE,
  method: HOSTILE,
  target: HOSTILE,
  upstream: HOSTILE,
  visitor: HOSTILE,
  note: HOSTILE,
  redacted: [HOSTILE],
  webhook: {
    provider: HOSTILE,
    event: HOSTILE,
    verdict: "failed",
    reason: HOSTILE,
  },
  request: { ...captured(1), method: HOSTILE, target: HOSTILE },
  response: {
    ...captured(1),
    status: 200,
    reason: HOSTILE,
    informational: [],
  },
});

const expectSafe = (lines: readonly string[]): void => {
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines)
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
};

test("no field of an exchange drives the terminal", () => {
  expectSafe([formatExchange(hostile, { withTunnel: true })]);
  const message = {
    index: 0,
    direction: "in",
    atMs: 1,
    type: "event",
    bytes: 1,
    keptBytes: 1,
    data: HOSTILE,
    encoding: "utf8",
    event: HOSTILE,
  } as const;
  for (const view of [
    { kind: "text", bytes: 1, text: HOSTILE, note: HOSTILE },
    { kind: "json", bytes: 1, text: HOSTILE },
    { kind: "form", bytes: 1, fields: [{ name: HOSTILE, value: HOSTILE }] },
    {
      kind: "multipart",
      bytes: 1,
      parts: [
        {
          headers: [],
          name: HOSTILE,
          filename: HOSTILE,
          type: HOSTILE,
          bytes: 1,
          text: HOSTILE,
        },
      ],
    },
    { kind: "image", bytes: 1, type: HOSTILE },
  ] as const)
    expectSafe(
      formatDetail(hostile, { request: view, response: view }, [message]),
    );
});

test("nothing of a replay drives the terminal", () => {
  const value = {
    path: HOSTILE,
    kind: "changed",
    left: HOSTILE,
    right: HOSTILE,
  } as const;
  for (const body of [
    { kind: "json", changes: [value] },
    { kind: "text", lines: [{ kind: "added", text: HOSTILE }] },
  ] as const) {
    const result = {
      original: hostile,
      exchange: hostile,
      error: { code: "upstream-garbage", message: HOSTILE },
      sameClass: false,
      comparison: { status: {}, headers: [value], body },
      changes: 2,
    };
    expectSafe(formatReplay(result));
    expectSafe(formatReplays([result, result]));
  }
});

test("a line says what a person looks for", () => {
  const at = new Date(2026, 10, 22, 15, 4, 5).getTime();
  const exchange = makeExchange({
    id: "01K9Z3V7Q2M4N6P8R0S2T4V6X8",
    startedAt: at,
    method: "POST",
    target: "/hook",
    durationMs: 12,
  });
  const line = (fields: object, withTunnel = false): string =>
    formatExchange({ ...exchange, ...fields }, { withTunnel });
  const start = "2026-11-22 15:04:05 01K9Z3V7Q2M4N6P8R0S2T4V6X8";
  expect(line({})).toBe(`${start} POST /hook 200 12 ms`);
  expect(line({}, true)).toBe(`${start} shop: POST /hook 200 12 ms`);
  expect(line({ kind: "raw", method: "", target: "" })).toContain("(no HTTP)");
  expect(line({ state: "aborted" })).toContain("200 aborted");
  expect(line({ kind: "websocket", messages: 3 })).toContain("3 messages");
  expect(line({ replayOf: exchange.id })).toContain(
    `(replay of ${exchange.id})`,
  );
});
