// One suite, two worlds: a whole-system test runs over both ingresses, or says why it does not.
import { expect, test } from "vitest";
import { listSources, readSource } from "./sources.ts";

const REASON = /^\/\/ one ingress only: \S.{9,}$/m;

test.each(listSources(["test/e2e", "test/conformance"], [".test.ts"]))(
  "%s runs over both ingresses or says why not",
  (file) => {
    const source = readSource(file);
    const both = /\bdescribeIngress\(/.test(source);
    const reason = REASON.test(source);
    expect(
      both || reason,
      `use describeIngress of test/harness/worlds.ts, or write "// one ingress only: <reason>" (or "// one ingress only: none, <reason>")`,
    ).toBe(true);
  },
);

test("there are whole-system tests", () => {
  expect(listSources(["test/e2e"], [".test.ts"])).not.toEqual([]);
});
