import { expect, it } from "vitest";
import { matchesName, matchesPattern } from "./matches-name.ts";

it.each([
  ["shop", "shop", true],
  ["shop", "shops", false],
  ["shop", "shop-1", false],
  ["*", "anything", true],
  ["api-*", "api-", true],
  ["api-*", "api-v2", true],
  ["api-*", "my-api-v2", false],
  ["*-dev", "shop-dev", true],
  ["*-dev", "shop-dev-2", false],
  ["a*b*c", "abc", true],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "acb", false],
  // A piece may not be used twice: not by the start and the end, nor by two stars.
  ["ab*ba", "aba", false],
  ["a*a*a", "aa", false],
  ["**", "", true],
])("%s against %s: %s", (pattern, name, matches) => {
  expect(matchesPattern(pattern, name)).toBe(matches);
});

it("takes no longer than a moment for a pattern made of stars", () => {
  const started = performance.now();
  expect(matchesPattern("*a".repeat(30) + "*b", "a".repeat(63))).toBe(false);
  expect(performance.now() - started).toBeLessThan(100);
});

it("grants every name without the option, and none with an empty one", () => {
  const identity = { id: "a", maxTunnels: undefined, directPorts: [] };
  expect(matchesName({ ...identity, names: undefined }, "shop")).toBe(true);
  expect(matchesName({ ...identity, names: [] }, "shop")).toBe(false);
  expect(matchesName({ ...identity, names: ["x", "sh*"] }, "shop")).toBe(true);
});
