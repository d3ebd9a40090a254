import { describe, expect, test } from "vitest";
import { CHUNKED } from "./framing.ts";
import { mayBeTrailer } from "./header-kinds.ts";
import {
  buildRequestHead,
  filterResponseHeaders,
  type OutgoingHead,
} from "./headers.ts";
import { readRequestHead } from "./request-head.ts";

function build(raw: string[], options: Partial<OutgoingHead> = {}): string[] {
  const text = buildRequestHead({
    method: "GET",
    path: "/",
    rawHeaders: raw,
    nominated: readRequestHead(raw).nominated,
    framing: 0,
    expectContinue: false,
    upgrade: false,
    trusted: false,
    change: {},
    forwardedLines: "X-Forwarded-For: 192.0.2.1\r\n",
    ...options,
  });
  expect(text).toMatch(/\r\n\r\n$/);
  return text.split("\r\n").slice(0, -2);
}

const OURS = "X-Forwarded-For: 192.0.2.1";

describe("buildRequestHead", () => {
  test("keeps order, case, duplicates and bytes of what passes", () => {
    expect(
      build(
        [
          "host",
          "App.test:80",
          "X-b",
          "2",
          "X-A",
          "\u00e9 1",
          "x-B",
          "",
          "Cookie",
          "a",
          "cookie",
          "b",
        ],
        { method: "PURGE", path: "//a/../%2f?x" },
      ),
    ).toEqual([
      "PURGE //a/../%2f?x HTTP/1.1",
      "host: App.test:80",
      "X-b: 2",
      "X-A: \u00e9 1",
      "x-B: ",
      "Cookie: a",
      "cookie: b",
      OURS,
    ]);
  });

  test.each([
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authorization",
    "TE",
    "Upgrade",
    "HTTP2-Settings",
    "Expect",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Whatever",
    "X-Real-IP",
    "Forwarded",
    "X_Forwarded_For",
    "x-forwarded_for",
    "X.Forwarded.Host",
    "X_Real_IP",
    "X_Auth_User",
    "Remote_User",
    "Content_Length",
    "Transfer_Encoding",
    "Proxy_Authorization",
  ])("drops %s", (name) => {
    expect(build(["Host", "a", name, "x", name.toLowerCase(), "y"])).toEqual([
      "GET / HTTP/1.1",
      "Host: a",
      OURS,
    ]);
  });

  test.each([
    "X-Forwarded-Proto-Thing_",
    "my_header",
    "X_Signature",
    "Trailer",
    "Authorization",
  ])("%s is nobody's alias", (name) => {
    const passes = !name.startsWith("X-Forwarded");
    expect(build([name, "x"]).includes(`${name}: x`)).toBe(passes);
  });

  test("what only a proxy has to say passes from a trusted one", () => {
    expect(
      build(["X-Real-IP", "1.1.1.1", "X-Forwarded-Prefix", "/a"], {
        trusted: true,
      }),
    ).toEqual([
      "GET / HTTP/1.1",
      "X-Real-IP: 1.1.1.1",
      "X-Forwarded-Prefix: /a",
      OURS,
    ]);
  });

  test("drops what Connection names, in every one of its fields and in any case", () => {
    expect(
      build([
        "Connection",
        "close, X-Drop ,,x-Two",
        "X-DROP",
        "1",
        "X-Keep",
        "2",
        "connection",
        "Cookie",
        "x-two",
        "3",
        "COOKIE",
        "4",
      ]),
    ).toEqual(["GET / HTTP/1.1", "X-Keep: 2", OURS]);
  });

  test("Connection names away neither Host nor the framing nor what the edge adds (CVE-2026-33805)", () => {
    expect(
      build(
        [
          "Host",
          "a",
          "Content-Length",
          "5",
          "Connection",
          "host, content-length, x-forwarded-for",
        ],
        { framing: 5 },
      ),
    ).toEqual(["GET / HTTP/1.1", "Host: a", "Content-Length: 5", OURS]);
    expect(
      build(
        ["Connection", "transfer-encoding", "Transfer-Encoding", "Chunked"],
        {
          framing: CHUNKED,
        },
      ),
    ).toEqual(["GET / HTTP/1.1", "Transfer-Encoding: chunked", OURS]);
  });

  test("exactly one framing field goes on", () => {
    expect(
      build(["Content-Length", "3", "Transfer-Encoding", "chunked"], {
        framing: CHUNKED,
      }),
    ).toEqual(["GET / HTTP/1.1", "Transfer-Encoding: chunked", OURS]);
    expect(
      build(["Transfer-Encoding", "chunked", "Content-Length", "3"], {
        framing: 3,
      }),
    ).toEqual(["GET / HTTP/1.1", "Content-Length: 3", OURS]);
  });

  test("an expectation goes on as 100-continue or not at all", () => {
    expect(build(["Expect", "100-Continue"], { expectContinue: true })).toEqual(
      ["GET / HTTP/1.1", "Expect: 100-continue", OURS],
    );
  });

  test("Connection and Upgrade go on for a WebSocket alone, reduced to what it needs", () => {
    expect(
      build(
        [
          "Connection",
          "keep-alive, Upgrade, X-Drop",
          "Upgrade",
          "WebSocket",
          "X-Drop",
          "1",
        ],
        {
          upgrade: true,
        },
      ),
    ).toEqual([
      "GET / HTTP/1.1",
      "Connection: Upgrade",
      "Upgrade: websocket",
      OURS,
    ]);
  });

  test("a policy changes Host, Origin and Referer, and nothing else", () => {
    expect(
      build(
        [
          "Host",
          "app.test",
          "ORIGIN",
          "http://app.test:8000",
          "Referer",
          "http://app.test:8000/x?y",
          "X-Origin",
          "http://app.test:8000",
        ],
        {
          change: {
            host: "localhost:8080",
            origin: {
              from: "http://app.test:8000",
              to: "http://localhost:8080",
            },
          },
        },
      ),
    ).toEqual([
      "GET / HTTP/1.1",
      "Host: localhost:8080",
      "ORIGIN: http://localhost:8080",
      "Referer: http://localhost:8080/x?y",
      "X-Origin: http://app.test:8000",
      OURS,
    ]);
  });

  test("names that object prototypes know are names like others", () => {
    expect(build(["__proto__", "1", "constructor", "2"])).toEqual([
      "GET / HTTP/1.1",
      "__proto__: 1",
      "constructor: 2",
      OURS,
    ]);
  });
});

describe("filterResponseHeaders", () => {
  test("drops what belongs to one hop, what Connection names and what only the edge may say", () => {
    expect(
      filterResponseHeaders(
        [
          "Server",
          "x",
          "Connection",
          "close, X-Drop",
          "Keep-Alive",
          "timeout=5",
          "x-drop",
          "1",
          "Transfer-Encoding",
          "chunked",
          "Content-Length",
          "5",
          "Expose-Error",
          "upstream-down",
          "set-cookie",
          "a",
          "Set-Cookie",
          "b",
        ],
        false,
      ),
    ).toEqual(["Server", "x", "set-cookie", "a", "Set-Cookie", "b"]);
  });

  test("Content-Length cannot be named away", () => {
    expect(
      filterResponseHeaders(
        ["Connection", "content-length", "Content-Length", "5"],
        true,
      ),
    ).toEqual(["Content-Length", "5"]);
  });
});

test.each([
  ["X-Checksum", true],
  ["grpc-status", true],
  ["Content-Length", false],
  ["Transfer-Encoding", false],
  ["Host", false],
  ["X-Forwarded-For", false],
  ["X_Forwarded_For", false],
  ["Authorization", false],
  ["Cookie", false],
  ["Set-Cookie", false],
  ["Connection", false],
  ["Trailer", false],
  ["Expose-Error", false],
])("%s may be a trailer: %s (RFC 9110 section 6.5.1)", (name, allowed) => {
  expect(mayBeTrailer(name)).toBe(allowed);
  expect(mayBeTrailer(name.toLowerCase())).toBe(allowed);
});
