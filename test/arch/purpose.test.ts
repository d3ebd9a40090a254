// Every file says in its first line what it is for.
import { expect, test } from "vitest";
import { listSources, readSource } from "./sources.ts";

test("every source file starts with a comment that says what it is for", () => {
  const silent = listSources(
    ["packages", "infra", "test", "docs", ".ci"],
    [".ts", ".tsx", ".mjs", ".js", ".sh"],
  ).filter((file) => {
    // A unit test is about the file beside it.
    if (file.startsWith("packages/") && file.endsWith(".test.ts")) return false;
    const [first = ""] = readSource(file)
      .replace(/^#!.*\n/, "")
      .split("\n");
    return !/^(\/\/|#) \S.{9,}/.test(first);
  });
  expect(silent).toEqual([]);
});
