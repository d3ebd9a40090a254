import type { Exchange } from "@expose/protocol";
import { describe, expect, test } from "vitest";
import { editableOf, orderOf } from "./draft.ts";

const exchangeOf = (bytes: number, keptBytes = bytes): Exchange => ({
  id: "0".repeat(26),
  tunnel: "shop",
  origin: "https://shop.example.com",
  kind: "http",
  state: "complete",
  startedAt: 0,
  method: "POST",
  target: "/a",
  host: "shop.example.com",
  requestBytes: bytes,
  responseBytes: 0,
  upstream: "localhost:8080",
  timing: {},
  redacted: [],
  request: {
    method: "POST",
    target: "/a",
    version: "1.1",
    headers: [
      ["Host", "shop.example.com"],
      ["X-Colon", "a: b"],
    ],
    trailers: [],
    body: { bytes, keptBytes, framing: "length" },
  },
});

const editable = (body: Uint8Array) =>
  editableOf(exchangeOf(body.length), body);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const sentBody = (body: string, edited: string) => {
  const original = editable(bytesOf(body));
  const order = orderOf(original, { ...original.draft, body: edited });
  return order.body === undefined
    ? undefined
    : Buffer.from(order.body, "base64").toString();
};

describe("an order", () => {
  test("holds nothing when nothing was edited", () => {
    for (const body of ["", "a\nb", "a\r\nb\r\n", "é", "a\rb", "\0"]) {
      const original = editable(bytesOf(body));
      expect(orderOf(original, original.draft)).toEqual({});
    }
  });

  test("holds headers line by line, and blank lines are none", () => {
    const original = editable(bytesOf(""));
    expect(
      orderOf(original, {
        ...original.draft,
        headers: "Host: x\n\nA:b: c \nEmpty:\n",
      }).headers,
    ).toEqual([
      ["Host", "x"],
      ["A", "b: c"],
      ["Empty", ""],
    ]);
  });

  test("cannot be made of a line that is no header, and says which", () => {
    const original = editable(bytesOf(""));
    expect(() =>
      orderOf(original, { ...original.draft, headers: "Host: x\nnone" }),
    ).toThrow(/^Line 2 of the headers/);
    expect(() =>
      orderOf(original, { ...original.draft, headers: ": x" }),
    ).toThrow(/^Line 1/);
  });

  test("keeps the line breaks of a body whose text was edited", () => {
    expect(sentBody("a\r\nb", "a\nc")).toBe("a\r\nc");
    expect(sentBody("a\nb", "a\nc")).toBe("a\nc");
    expect(sentBody("é", "$&é")).toBe("$&é");
  });
});

describe("a body that a form could not give back byte for byte", () => {
  test.each([
    ["is not UTF-8", Uint8Array.of(0xff, 0xfe)],
    ["has a NUL", bytesOf("a\0b")],
    ["has a byte order mark", bytesOf("\uFEFFa")],
    ["mixes its line breaks", bytesOf("a\r\nb\nc")],
    ["has a lone CR", bytesOf("a\rb")],
    ["is very long", new Uint8Array(1_000_001).fill(97)],
  ])("stays what it was: one that %s", (_why, bytes) => {
    expect(editable(bytes).draft.body).toBeUndefined();
  });

  test("nor is one edited of which a part is missing", () => {
    expect(
      editableOf(exchangeOf(10, 3), bytesOf("abc")).draft.body,
    ).toBeUndefined();
  });
});
