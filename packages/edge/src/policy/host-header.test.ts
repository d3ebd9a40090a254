import { describe, expect, test } from "vitest";
import {
  decideHostHeader,
  isHostHeaderPolicy,
  rewriteOrigin,
} from "./host-header.ts";

const PUBLIC = "https://shop.tunnel.example:8443";

describe("decideHostHeader", () => {
  test("preserve changes nothing", () => {
    expect(decideHostHeader("preserve", "localhost:8080", PUBLIC)).toEqual({});
  });

  test("a literal host changes Host alone", () => {
    expect(decideHostHeader("app.test:99", "localhost:8080", PUBLIC)).toEqual({
      host: "app.test:99",
    });
  });

  test.each([
    ["localhost:8080", "localhost:8080", "http://localhost:8080"],
    ["8080", "localhost:8080", "http://localhost:8080"],
    ["http://localhost", "localhost", "http://localhost"],
    ["https://localhost:8443", "localhost:8443", "https://localhost:8443"],
    ["https+insecure://app.test", "app.test", "https://app.test"],
    ["[::1]:5173", "[::1]:5173", "http://[::1]:5173"],
    ["unix:/run/app.sock", "localhost", "http://localhost"],
    ["./dist", "localhost", "http://localhost"],
    ["what is this", "localhost", "http://localhost"],
  ])("rewrite to %s sends Host %s", (upstream, host, to) => {
    expect(decideHostHeader("rewrite", upstream, PUBLIC)).toEqual({
      host,
      origin: { from: PUBLIC, to },
    });
  });

  test.each(["a\r\nX-Evil: 1", "a b", "č\u010a", "a@b", "a:b", "", "a/b"])(
    "the literal %j, which is no host, changes nothing",
    (policy) => {
      expect(isHostHeaderPolicy(policy)).toBe(false);
      expect(decideHostHeader(policy, "localhost:8080", PUBLIC)).toEqual({});
    },
  );

  test("a label that would break out of the head when cut to eight bits is not used", () => {
    const change = decideHostHeader(
      "rewrite",
      "http://a\u010d\u010aX-Evil:1",
      PUBLIC,
    );
    expect(change.host).toBe("localhost");
  });
});

describe("rewriteOrigin", () => {
  const change = { from: PUBLIC, to: "http://localhost:8080" };

  test.each([
    [PUBLIC, "http://localhost:8080"],
    [`${PUBLIC}/a?b#c`, "http://localhost:8080/a?b#c"],
    [`${PUBLIC}?b`, "http://localhost:8080?b"],
    ["HTTPS://Shop.tunnel.EXAMPLE:8443/A", "http://localhost:8080/A"],
    [`${PUBLIC}0/a`, `${PUBLIC}0/a`],
    ["https://shop.tunnel.example", "https://shop.tunnel.example"],
    ["https://evil.example", "https://evil.example"],
    ["null", "null"],
    ["", ""],
  ])("%s becomes %s", (value, expected) => {
    expect(rewriteOrigin(value, change)).toBe(expected);
  });

  test("the public URL may end in a slash", () => {
    const decided = decideHostHeader("rewrite", "8080", `${PUBLIC}/`);
    expect(decided.origin?.from).toBe(PUBLIC);
  });
});
