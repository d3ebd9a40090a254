import { expect, test } from "vitest";
import { parseForwardSpec } from "./forward-spec.ts";

test.each([
  [
    "7777:localhost:7780",
    { bind: undefined, port: 7777, host: "localhost", hostPort: 7780 },
  ],
  [
    "0:10.0.0.1:80",
    { bind: undefined, port: 0, host: "10.0.0.1", hostPort: 80 },
  ],
  [
    "0.0.0.0:7777:db:5432",
    { bind: "0.0.0.0", port: 7777, host: "db", hostPort: 5432 },
  ],
  ["*:7777:db:5432", { bind: "*", port: 7777, host: "db", hostPort: 5432 }],
  [":7777:db:5432", { bind: "*", port: 7777, host: "db", hostPort: 5432 }],
  [
    "[::1]:7777:[fd00::1]:80",
    { bind: "::1", port: 7777, host: "fd00::1", hostPort: 80 },
  ],
  ["7777:[::1]:80", { bind: undefined, port: 7777, host: "::1", hostPort: 80 }],
])("%s", (text, spec) => {
  expect(parseForwardSpec(text)).toEqual(spec);
});

test.each([
  "",
  "7777",
  "7777:localhost",
  "a:b:c:d:e",
  "7777::80",
  "x:localhost:80",
  "7777:localhost:0",
  "7777:localhost:70000",
  "77777:localhost:80",
  "::1:7777:localhost:80",
  "7777:local[host:80",
])("%j is refused", (text) => {
  expect(() => parseForwardSpec(text)).toThrow(
    expect.objectContaining({ code: "usage-invalid" }),
  );
});
