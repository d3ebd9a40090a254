import { expect, it } from "vitest";
import { writesThroughPrimary } from "./line-writer.ts";

it.each([
  ["-", true],
  ["/dev/stdout", true],
  ["/dev/stderr", true],
  ["/dev/fd/3", true],
  ["/proc/self/fd/1", true],
  ["/dev/null", false],
  ["/var/log/expose/access.log", false],
  ["stdout", false],
])(
  "says of the file %s whether the primary alone can write it: %s",
  (file, its) => {
    expect(writesThroughPrimary({ file })).toBe(its);
  },
);
