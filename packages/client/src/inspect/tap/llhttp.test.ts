// The door to undici's llhttp: what is behind it, so that an upgrade that changes it is noticed here.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import wasmBytes from "undici/lib/llhttp/llhttp-wasm.js";
import { createMessageParser, ParseError } from "./llhttp.ts";

const { version } = JSON.parse(
  readFileSync(
    new URL("../../../../../node_modules/undici/package.json", import.meta.url),
    "utf8",
  ),
) as { version: string };

// Another undici brings another llhttp: run the tests of this folder, look at what changed in llhttp, and write both here.
test("the parser is the one that was looked at", () => {
  expect([
    version,
    createHash("sha256").update(wasmBytes).digest("hex").slice(0, 16),
  ]).toMatchInlineSnapshot(`
    [
      "7.30.2",
      "57184a16144b5bc8",
    ]
  `);
});

// Where two readers could disagree, the capture ends rather than guess.
test.each([
  [
    "response",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
  ],
  [
    "response",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
  ],
  ["response", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
  ["response", "HTTP/2.0 200 OK\r\n\r\n"],
  ["request", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"],
  ["request", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"],
  ["request", "GET / HTTP/1.1\nHost: a\n\n"],
  ["request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["request", "\x16\x03\x01\x02\0"],
] as const)("no %s: %j", (kind, text) => {
  const parser = createMessageParser(kind, {
    head: () => true,
    body: () => {},
    end: () => {},
  });
  expect(() => parser.read(Buffer.from(text, "latin1"), 0)).toThrow(ParseError);
  parser.free();
});

test("what its listener throws comes out of it, and other parsers go on", () => {
  const broken = createMessageParser("request", {
    head: () => {
      throw new Error("not today");
    },
    body: () => {},
    end: () => {},
  });
  const request = Buffer.from("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  expect(() => broken.read(request, 0)).toThrow("not today");
  broken.free();
  broken.free();
  const targets: string[] = [];
  const next = createMessageParser("request", {
    head: ({ target }) => targets.push(target) < 0,
    body: () => {},
    end: () => {},
  });
  expect(next.read(request, 0)).toBe(request.length);
  expect(targets).toEqual(["/a"]);
  next.free();
});

// `curl http://…/ü` sends these bytes as they are.
test("bytes above 127 are part of a target, in every request and wherever they are divided", () => {
  const bytes = Buffer.from(
    "\r\nGET /\xc3\xbc?\x80\xff HTTP/1.1\r\nA: \xe9\r\n\r\nPOST /\xa0 HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "latin1",
  );
  for (let cut = 1; cut < bytes.length; cut++) {
    const heads: string[] = [];
    const parser = createMessageParser("request", {
      head: ({ target, headers }) => heads.push(target, ...headers.flat()) < 0,
      body: () => {},
      end: () => {},
    });
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)])
      for (let at = 0; at < piece.length;) at = parser.read(piece, at);
    expect(heads).toEqual([
      ...["/\xc3\xbc?\x80\xff", "A", "\xe9"],
      ...["/\xa0", "Content-Length", "0"],
    ]);
    parser.free();
  }
});

test("bytes above 127 are no part of a method, a version or a name", () => {
  for (const text of [
    "G\xc9T / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.\xb9\r\n\r\n",
    "GET / HTTP/1.1\r\n\xc9: b\r\n\r\n",
  ]) {
    const parser = createMessageParser("request", {
      head: () => true,
      body: () => {},
      end: () => {},
    });
    expect(() => parser.read(Buffer.from(text, "latin1"), 0)).toThrow(
      ParseError,
    );
    parser.free();
  }
});

test("a head without an end is too long", () => {
  const parser = createMessageParser("request", {
    head: () => true,
    body: () => {},
    end: () => {},
  });
  const piece = Buffer.from(`X: ${"y".repeat(60_000)}\r\n`);
  parser.read(Buffer.from("GET / HTTP/1.1\r\n"), 0);
  expect(() => {
    for (let i = 0; i < 5; i++) parser.read(piece, 0);
  }).toThrow("too long");
  parser.free();
});

test("trailers without an end are too long", () => {
  const parser = createMessageParser("request", {
    head: () => true,
    body: () => {},
    end: () => {},
  });
  parser.read(
    Buffer.from(
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ",
    ),
    0,
  );
  const piece = Buffer.alloc(60_000, "y");
  expect(() => {
    for (let i = 0; i < 6; i++) parser.read(piece, 0);
  }).toThrow("too long");
  parser.free();
});
