import { describe, expect, test } from "vitest";
import { EdgeError } from "../errors.ts";
import {
  createTrustedProxies,
  decideForwarded,
  plainAddress,
} from "./forwarded.ts";
import { readRequestHead } from "./request-head.ts";

const proxies = createTrustedProxies([
  "127.0.0.1",
  "10.0.0.0/8",
  "2001:db8::/32",
]);

function decide(peer: string, ...raw: string[]) {
  const { visitor, lines } = decideForwarded(
    readRequestHead(raw),
    "app.test:8000",
    { address: peer, trusted: proxies.has(peer) },
    proxies,
    { scheme: "https", port: 8443 },
  );
  const fields = Object.fromEntries(
    lines
      .split("\r\n")
      .slice(0, -1)
      .map((line) => line.split(": ") as [string, string]),
  );
  return { visitor, fields };
}

describe("decideForwarded", () => {
  test("an untrusted peer is the visitor, whatever it says", () => {
    const { visitor, fields } = decide(
      "198.51.100.7",
      ...["X-Forwarded-For", "1.1.1.1"],
      ...["X-Forwarded-Proto", "gopher"],
      ...["X-Forwarded-Host", "evil.example"],
      ...["X-Forwarded-Port", "1"],
      ...["Forwarded", "for=1.1.1.1"],
    );
    expect(visitor).toBe("198.51.100.7");
    expect(fields).toEqual({
      "X-Forwarded-For": "198.51.100.7",
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "app.test:8000",
      "X-Forwarded-Port": "8443",
      Forwarded: 'for=198.51.100.7;host="app.test:8000";proto=https',
    });
  });

  test("Forwarded is sent only where one came", () => {
    expect(decide("198.51.100.7").fields).not.toHaveProperty("Forwarded");
    expect(decide("127.0.0.1").fields).not.toHaveProperty("Forwarded");
  });

  test.each([
    ["one proxy", "203.0.113.9", "203.0.113.9", "203.0.113.9, 127.0.0.1"],
    [
      "three proxies",
      "203.0.113.9, 10.1.1.1,10.2.2.2",
      "203.0.113.9",
      "203.0.113.9, 10.1.1.1, 10.2.2.2, 127.0.0.1",
    ],
    [
      "addresses that the visitor made up",
      "6.6.6.6, 10.9.9.9, 203.0.113.9, 10.1.1.1",
      "203.0.113.9",
      "203.0.113.9, 10.1.1.1, 127.0.0.1",
    ],
    ["no address", "", "127.0.0.1", "127.0.0.1"],
    ["nonsense", "1.1.1.1, unknown", "127.0.0.1", "127.0.0.1"],
    ["a port", "203.0.113.9:4711", "203.0.113.9", "203.0.113.9, 127.0.0.1"],
    [
      "IPv6",
      "2a00::1, 2001:db8::5",
      "2a00::1",
      "2a00::1, 2001:db8::5, 127.0.0.1",
    ],
    ["IPv6 with a port", "[2a00::1]:99", "2a00::1", "2a00::1, 127.0.0.1"],
    [
      "IPv4 in IPv6",
      "::ffff:203.0.113.9",
      "203.0.113.9",
      "203.0.113.9, 127.0.0.1",
    ],
    ["proxies alone", "10.1.1.1", "10.1.1.1", "10.1.1.1, 127.0.0.1"],
  ])("behind a trusted peer: %s", (_, value, visitor, chain) => {
    const decided = decide("127.0.0.1", "X-Forwarded-For", value);
    expect(decided.visitor).toBe(visitor);
    expect(decided.fields["X-Forwarded-For"]).toBe(chain);
  });

  test("several X-Forwarded-For fields are one list", () => {
    const { visitor } = decide(
      "127.0.0.1",
      ...["X-Forwarded-For", "203.0.113.9"],
      ...["x-forwarded-for", "10.0.0.1"],
    );
    expect(visitor).toBe("203.0.113.9");
  });

  test("no more than 32 hops are believed", () => {
    const { fields } = decide(
      "127.0.0.1",
      ...["X-Forwarded-For", Array(5_000).fill("10.0.0.1").join(",")],
    );
    expect(fields["X-Forwarded-For"]!.split(", ")).toHaveLength(33);
  });

  test("a trusted peer's scheme, host and port are kept", () => {
    const { fields } = decide(
      "127.0.0.1",
      ...["X-Forwarded-Proto", "http"],
      ...["X-Forwarded-Host", "public.example"],
      ...["X-Forwarded-Port", "81"],
      ...["Forwarded", "for=203.0.113.9"],
    );
    expect(fields).toMatchObject({
      "X-Forwarded-Proto": "http",
      "X-Forwarded-Host": "public.example",
      "X-Forwarded-Port": "81",
      Forwarded:
        'for=203.0.113.9;host="public.example";proto=http, for=127.0.0.1',
    });
  });

  test.each([
    ["one proxy", "for=203.0.113.9", "203.0.113.9, 127.0.0.1"],
    [
      "three proxies",
      'for=203.0.113.9;proto=http;by=10.1.1.1, For="10.1.1.1:99" , proto=http;for=10.2.2.2',
      "203.0.113.9, 10.1.1.1, 10.2.2.2, 127.0.0.1",
    ],
    [
      "what the visitor made up",
      'for=6.6.6.6, for=10.9.9.9, for=203.0.113.9, for="10.1.1.1"',
      "203.0.113.9, 10.1.1.1, 127.0.0.1",
    ],
    [
      "a quote that the visitor has left open",
      'for="6.6.6.6, for=203.0.113.9, for=10.1.1.1',
      "203.0.113.9, 10.1.1.1, 127.0.0.1",
    ],
    [
      "IPv6",
      'for="[2a00::1]:4711", for="[2001:db8::5]"',
      "2a00::1, 2001:db8::5, 127.0.0.1",
    ],
    ["an unknown visitor", "for=unknown, for=10.1.1.1", "10.1.1.1, 127.0.0.1"],
    ["a hidden one", "for=_hidden", "127.0.0.1"],
    ["nobody", "proto=http", "127.0.0.1"],
    ["nothing", "", "127.0.0.1"],
  ])("behind a trusted peer that speaks Forwarded: %s", (_, value, chain) => {
    const { visitor, fields } = decide("127.0.0.1", "Forwarded", value);
    expect(fields["X-Forwarded-For"]).toBe(chain);
    expect(visitor).toBe(chain.split(", ")[0]);
  });

  test("Forwarded beside X-Forwarded-For is the visitor's, and not believed", () => {
    expect(
      decide(
        "127.0.0.1",
        ...["Forwarded", "for=6.6.6.6;host=evil.example;proto=http"],
        ...["X-Forwarded-For", "203.0.113.9, 10.1.1.1"],
      ),
    ).toEqual({
      visitor: "203.0.113.9",
      fields: {
        "X-Forwarded-For": "203.0.113.9, 10.1.1.1, 127.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "app.test:8000",
        "X-Forwarded-Port": "8443",
        Forwarded:
          'for=203.0.113.9;host="app.test:8000";proto=https, for=10.1.1.1, for=127.0.0.1',
      },
    });
  });

  test("the scheme and host of Forwarded are those that the peer itself says", () => {
    const { fields } = decide(
      "127.0.0.1",
      ...["Forwarded", "for=203.0.113.9;host=evil.example;proto=https"],
      ...["Forwarded", 'for=10.1.1.1;host="public.example:81";proto=http'],
    );
    expect(fields).toMatchObject({
      "X-Forwarded-Proto": "http",
      "X-Forwarded-Host": "public.example:81",
    });
  });

  test("what a trusted peer says must make sense, or the edge's own stands", () => {
    const { fields } = decide(
      "127.0.0.1",
      ...["X-Forwarded-Proto", "javascript"],
      ...["X-Forwarded-Host", "a b"],
      ...["X-Forwarded-Port", "0"],
    );
    expect(fields).toMatchObject({
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "app.test:8000",
      "X-Forwarded-Port": "8443",
    });
  });

  test("another scheme without a port means that scheme's own port", () => {
    const port = (proto: string) =>
      decide("127.0.0.1", "X-Forwarded-Proto", proto).fields[
        "X-Forwarded-Port"
      ];
    expect(port("http")).toBe("80");
    expect(port("wss")).toBe("443");
  });

  test("an IPv6 peer stands in brackets and quotes in Forwarded", () => {
    expect(decide("2a00::1", "Forwarded", "for=x").fields["Forwarded"]).toBe(
      'for="[2a00::1]";host="app.test:8000";proto=https',
    );
  });
});

describe("createTrustedProxies", () => {
  test.each([
    "10.0.0.0/33",
    "::/129",
    "a",
    "10.0.0/8",
    "10.0.0.1/",
    "1.1.1.1/8/8",
    "",
  ])("%j is refused", (entry) => {
    expect(() => createTrustedProxies([entry])).toThrow(EdgeError);
  });

  test("an empty list trusts nobody", () => {
    expect(createTrustedProxies([]).has("127.0.0.1")).toBe(false);
  });
});

test("IPv4 in IPv6 is written as IPv4, and nothing else is changed", () => {
  expect(plainAddress("::ffff:192.0.2.1")).toBe("192.0.2.1");
  expect(plainAddress("::FFFF:192.0.2.1")).toBe("192.0.2.1");
  expect(plainAddress("::1")).toBe("::1");
  expect(plainAddress("192.0.2.1")).toBe("192.0.2.1");
});
