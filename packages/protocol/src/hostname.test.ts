// Which names are served, and what is said about the others.
import fc from "fast-check";
import { expect, test } from "vitest";
import { explainInvalidName } from "./hostname.ts";

test.each(["a", "shop", "api-2", "0", "a--b", "a1-b2-c3", "a".repeat(63)])(
  "serves the name %j",
  (name) => {
    expect(explainInvalidName(name)).toBeUndefined();
  },
);

test.each([
  ["", /empty/],
  ["a".repeat(64), /at most 63.*has 64/],
  ["shop.example", /without dots/],
  [".", /without dots/],
  ["Shop", /try "shop"/],
  ["-shop", /letters a to z/],
  ["shop-", /letters a to z/],
  ["-", /letters a to z/],
  ["my_shop", /letters a to z/],
  ["my shop", /letters a to z/],
  ["shop\n", /letters a to z/],
  ["shöp", /letters a to z/],
  ["xn--shp-tna", /punycode/],
  ["ab--c", /punycode/],
  ["shop/..", /without dots/],
  ["shop%2e", /letters a to z/],
  ["shop\0", /letters a to z/],
])("refuses the name %j with the mend", (name, explanation) => {
  expect(explainInvalidName(name)).toMatch(explanation);
});

test("never suggests a name that it would refuse as well", () => {
  expect(explainInvalidName("XN--SHP-TNA")).toMatch(/punycode/);
  expect(explainInvalidName("-SHOP")).not.toMatch(/try/);
});

test("lets through nothing but lower-case labels of RFC 1123, whatever comes", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.stringMatching(/^[a-zA-Z0-9.-]{0,70}$/),
        anyText(),
      ),
      (name) => {
        if (explainInvalidName(name) !== undefined) return;
        expect(name).toMatch(/^[a-z0-9-]{1,63}$/);
        expect(new URL(`http://${name}.example.com/`).hostname).toBe(
          `${name}.example.com`,
        );
      },
    ),
  );
});

/** Any code units, lone surrogates among them; fast-check's own unit "binary" takes a second to begin. */
const anyText = (maxLength = 30) =>
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength })
    .map((units) => String.fromCharCode(...units));
