// What a shell must not take for more than text; run-exported.test.ts runs whole commands.
import { expect, test } from "vitest";
import { quoteLatin1, quoteWord } from "./shell.ts";

test.each(["caf\xe9 !rm", "!", "a!b\xff"])(
  "no ! stands outside of single quotes: %j",
  (text) => {
    expect(quoteLatin1(text).replace(/^'[^']*'$/, "")).not.toContain("!");
  },
);

test("single quotes keep everything but themselves", () => {
  expect(quoteWord("a'!$`\\b")).toBe("'a'\\''!$`\\b'");
});
