import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchPattern, matchPatternList } from "./pattern.ts";

describe("a wildcard pattern", () => {
  it.each([
    ["vps", "vps", true],
    ["vps", "VPS", false],
    ["vps", "vp", false],
    ["vps.example.com", "*.example.com", true],
    ["example.com", "*.example.com", false],
    ["abc", "a?c", true],
    ["ac", "a?c", false],
    ["", "*", true],
    ["", "?", false],
    ["a.b", "a[.]b", false],
    ["[::1]:22", "[::1]:*", true],
  ])("judges %j against %j: %j", (name, pattern, expected) => {
    expect(matchPattern(name, pattern)).toBe(expected);
  });

  it("agrees with a regular expression on whatever is put into it", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b", "."),
      maxLength: 8,
    });
    const pattern = fc.string({
      unit: fc.constantFrom("a", "b", ".", "*", "?"),
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, pattern, (name, glob) => {
        const regex = glob
          .replaceAll(".", "\\.")
          .replaceAll("*", ".*")
          .replaceAll("?", ".");
        expect(matchPattern(name, glob)).toBe(
          new RegExp(`^${regex}$`).test(name),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("costs no exponential walk", () => {
    const start = performance.now();
    expect(matchPattern("a".repeat(5_000), `${"*a".repeat(50)}b`)).toBe(false);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe("a list of patterns", () => {
  it.each([
    [["a*", "b*"], "match"],
    [["x*"], "none"],
    [["a*", "!abc"], "negated"],
    [["!abc", "a*"], "negated"],
    [["!x", "a*"], "match"],
    [["!x"], "none"],
  ] as const)("%j judges abc as %s", (patterns, verdict) => {
    expect(matchPatternList("abc", patterns)).toBe(verdict);
  });
});
