import { describe, expect, test } from "vitest";
import { parseAuthority, resolveTarget } from "./host.ts";
import { readRequestHead } from "./request-head.ts";

const resolve = (url: string, hosts: string[] = ["app.test"], method = "GET") =>
  resolveTarget(
    method,
    url,
    readRequestHead(hosts.flatMap((host) => ["Host", host])),
  );

describe("parseAuthority", () => {
  test.each([
    ["app.test", "app.test", undefined],
    ["APP.Test", "app.test", undefined],
    ["app.test.", "app.test", undefined],
    ["app.test:8080", "app.test", 8080],
    ["app.test.:8080", "app.test", 8080],
    ["my_app.test", "my_app.test", undefined],
    ["xn--bcher-kva.test", "xn--bcher-kva.test", undefined],
    ["127.0.0.1:80", "127.0.0.1", 80],
    ["[::1]", "::1", undefined],
    ["[2001:DB8::1]:443", "2001:db8::1", 443],
    ["localhost", "localhost", undefined],
    ["a".repeat(63), "a".repeat(63), undefined],
  ])("%s is %s, port %s", (text, hostname, port) => {
    expect(parseAuthority(text)).toEqual({ hostname, port });
  });

  test.each([
    "",
    ".",
    "a..b",
    ".a",
    "a b",
    " a",
    "a ",
    "a/b",
    "a/../b",
    "a@b",
    "user:pass@b",
    "a:b",
    "a:",
    "a:99999",
    "a:123456",
    "a:80:80",
    "a,b",
    "a%2eb",
    "a\u00e9",
    "a\tb",
    "a#b",
    "a?b",
    "a\\b",
    "[::1",
    "::1",
    "[::g]",
    "[127.0.0.1]",
    "[::1%25eth0]",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "app.1",
    "a".repeat(64),
    `${"a.".repeat(127)}ab`,
  ])("%j is no host", (text) => {
    expect(parseAuthority(text)).toBeUndefined();
  });
});

describe("resolveTarget", () => {
  test.each([
    "/",
    "//",
    "/a//b/../%2F%2e?x=1&x=2#f",
    "/?http://b/",
    "/\\",
    "/%ZZ",
    "/a b",
  ])("the path %s goes on unchanged", (url) => {
    expect(resolve(url)).toEqual({ hostname: "app.test", path: url });
  });

  test.each([
    ["http://app.test", "/"],
    ["http://app.test/", "/"],
    ["http://APP.test//a/../b?q", "//a/../b?q"],
    ["http://app.test?q=/", "/?q=/"],
    ["https://app.test:443/x", "/x"],
    ["http://app.test:80/x", "/x"],
    ["HTTP://app.test./x", "/x"],
  ])("the target %s goes on as %s", (url, path) => {
    expect(resolve(url)).toEqual({ hostname: "app.test", path });
  });

  test("a Host without a port means the port of the target's scheme", () => {
    expect(resolve("https://app.test/x", ["app.test:443"])).toMatchObject({
      path: "/x",
    });
    expect(resolve("https://app.test/x", ["app.test:80"])).toMatchObject({
      code: "host-invalid",
    });
  });

  test("OPTIONS may ask about the server as a whole, and nobody else may", () => {
    expect(resolve("*", ["app.test"], "OPTIONS")).toMatchObject({ path: "*" });
    expect(resolve("http://app.test", ["app.test"], "OPTIONS")).toMatchObject({
      path: "*",
    });
    expect(resolve("*")).toMatchObject({ code: "request-invalid" });
  });

  test.each([
    ["another host", "http://other.test/"],
    ["another port", "http://app.test:81/"],
    ["userinfo", "http://app.test@other.test/"],
    ["userinfo before the same host", "http://x@app.test/"],
    ["no host", "http:///x"],
    ["a backslash", "http://app.test\\@other.test/"],
  ])("a target with %s does not agree with the Host", (_, url) => {
    expect(resolve(url)).toMatchObject({ code: "host-invalid" });
  });

  test.each(["ftp://app.test/", "app.test:80", "x", "javascript:1", ""])(
    "%j is no target",
    (url) => {
      expect(resolve(url)).toMatchObject({ code: "request-invalid" });
    },
  );

  test("no Host, two Hosts (equal ones too) and a malformed Host are refused", () => {
    expect(resolve("/", [])).toMatchObject({ code: "host-invalid" });
    expect(resolve("/", ["app.test", "app.test"])).toMatchObject({
      code: "host-invalid",
    });
    expect(resolve("/", ["app.test, other.test"])).toMatchObject({
      code: "host-invalid",
    });
  });

  test("CONNECT is not served", () => {
    expect(resolve("app.test:80", ["app.test"], "CONNECT")).toMatchObject({
      status: 405,
    });
  });
});
