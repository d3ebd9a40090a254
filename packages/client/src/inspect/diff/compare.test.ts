import fc from "fast-check";
import type { Exchange, HeaderLine } from "@expose/protocol";
import { describe, expect, test } from "vitest";
import { makeExchange } from "../server/use-store.ts";
import { compareResponses, countChanges } from "./compare.ts";

const side = (
  body: string | Buffer,
  headers: readonly HeaderLine[] = [],
  status = 200,
) => {
  const exchange: Exchange = makeExchange({
    status,
    response: {
      status,
      reason: "",
      version: "1.1",
      headers,
      trailers: [],
      informational: [],
      body: { bytes: body.length, keptBytes: body.length, framing: "length" },
    },
  });
  return { exchange, body: Buffer.from(body), truncated: false };
};
const bodyOf = (left: string | Buffer, right: string | Buffer) =>
  compareResponses(side(left), side(right)).body;

test("equal responses have no differences", () => {
  const comparison = compareResponses(side("x"), side("x"));
  expect(comparison).toEqual({
    status: { left: 200, right: 200 },
    headers: [],
    body: { kind: "same" },
  });
  expect(countChanges(comparison)).toBe(0);
});

test("headers are compared by name, whatever their case and order", () => {
  const { headers } = compareResponses(
    side("", [
      ["A", "1"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
      ["Gone", "x"],
    ]),
    side("", [
      ["set-cookie", "a=1"],
      ["a", "1"],
      ["set-cookie", "b=3"],
      ["New", "y"],
    ]),
  );
  expect(headers).toEqual([
    {
      path: "set-cookie",
      kind: "changed",
      left: "a=1\nb=2",
      right: "a=1\nb=3",
    },
    { path: "Gone", kind: "removed", left: "x" },
    { path: "New", kind: "added", right: "y" },
  ]);
});

test("the time of day counts as no change", () => {
  const comparison = compareResponses(
    side("", [["Date", "a"]], 200),
    side("", [["Date", "b"]], 500),
  );
  expect(comparison.headers).toHaveLength(1);
  expect(countChanges(comparison)).toBe(1);
});

describe("JSON", () => {
  test.each([
    [
      { a: { b: 1, c: 2 } },
      { a: { b: 1, c: 3 }, d: [] },
      [
        { path: "/a/c", kind: "changed", left: "2", right: "3" },
        { path: "/d", kind: "added", right: "[]" },
      ],
    ],
    [
      { "a/b": 1, "c~d": true },
      { "a/b": 2 },
      [
        { path: "/a~1b", kind: "changed", left: "1", right: "2" },
        { path: "/c~0d", kind: "removed", left: "true" },
      ],
    ],
    [
      [{ id: 1 }, { id: 2, x: 1 }],
      [{ id: 0 }, { id: 1 }, { id: 2, x: 2 }],
      [
        { path: "/0", kind: "added", right: '{"id":0}' },
        { path: "/2/x", kind: "changed", left: "1", right: "2" },
      ],
    ],
    [
      { a: null },
      { a: {} },
      [{ path: "/a", kind: "changed", left: "null", right: "{}" }],
    ],
  ])("%j and %j differ place by place", (a, b, changes) => {
    expect(bodyOf(JSON.stringify(a), JSON.stringify(b))).toEqual({
      kind: "json",
      changes,
    });
  });

  test("order of members and white space are no difference", () => {
    expect(bodyOf('{"a":1,"b":2}', '{ "b": 2,\n "a": 1 }')).toEqual({
      kind: "json",
      changes: [],
    });
  });

  test("numbers are compared as they are written, beyond what a double holds", () => {
    expect(
      bodyOf('{"n":12345678901234567890}', '{"n":12345678901234567891}'),
    ).toMatchObject({
      changes: [
        { left: "12345678901234567890", right: "12345678901234567891" },
      ],
    });
  });

  test("a __proto__ is a member like any other", () => {
    expect(bodyOf('{"__proto__":1}', '{"__proto__":2}')).toMatchObject({
      changes: [{ path: "/__proto__", kind: "changed" }],
    });
  });

  test("two values have no differences exactly when they are equal", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [left, right] = [JSON.stringify([a]), JSON.stringify([b])];
        const body = bodyOf(left, right);
        if (left === right) expect(body.kind).toBe("same");
        else expect(body.changes?.length).toBeGreaterThan(0);
        expect(bodyOf(` ${left}`, left).changes).toEqual([]);
      }),
      { interruptAfterTimeLimit: 2_000 },
    );
  });
});

test("text is compared by line", () => {
  expect(bodyOf("a\nb\nc\n", "a\nB\nc\n")).toEqual({
    kind: "text",
    lines: [
      { kind: "same", text: "a" },
      { kind: "removed", text: "b" },
      { kind: "added", text: "B" },
      { kind: "same", text: "c" },
    ],
  });
});

test("what is no text is told apart as a whole", () => {
  expect(bodyOf(Buffer.from([0, 1]), Buffer.from([0, 2]))).toEqual({
    kind: "binary",
  });
});

describe("hostile bodies take bounded time and room", () => {
  const lines = (word: string): string =>
    Array.from({ length: 60_000 }, (_, i) => `${word}${i}`).join("\n");
  test.each([
    ["lines that are all different", lines("a"), lines("b")],
    [
      "arrays that are all different",
      JSON.stringify(lines("a").split("\n")),
      JSON.stringify(lines("b").split("\n")),
    ],
    [
      "deep nesting",
      `${"[".repeat(4_000)}1${"]".repeat(4_000)}`,
      `${"[".repeat(4_000)}2${"]".repeat(4_000)}`,
    ],
    [
      "nesting beyond the stack",
      `${"[".repeat(400_000)}1${"]".repeat(400_000)}`,
      `${"[".repeat(400_000)}2${"]".repeat(400_000)}`,
    ],
    ["one endless line", "a".repeat(1_000_000), "b".repeat(1_000_000)],
    ["more than is compared", "a".repeat(3_000_000), "b\n".repeat(1_500_000)],
    [
      "deep arrays of arrays",
      `${'[1,{"a":'.repeat(60)}1${"}]".repeat(60)}`,
      `${'[2,{"a":'.repeat(60)}1${"}]".repeat(60)}`,
    ],
  ])("%s", (_name, left, right) => {
    const startedAt = performance.now();
    const body = bodyOf(left, right);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(body.kind).not.toBe("same");
    expect(JSON.stringify(body).length).toBeLessThan(12_000_000);
  });
});
