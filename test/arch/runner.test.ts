// What `npm test` counts: nothing that did not run may pass for having passed.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LONGEST } from "../../infra/dev/longest-first.mjs";
import { tally } from "../../infra/dev/vitest-report.mjs";
import { ROOT } from "./sources.ts";

const file = (assertionResults: object[], message = "") => ({
  name: join(ROOT, "test/some.test.ts"),
  message,
  assertionResults,
});
const passed = { status: "passed", fullName: "it works" };
const skipped = { status: "skipped", fullName: "it will work" };

test("tests that passed and failed are counted, and the failed ones named", () => {
  const failed = { status: "failed", fullName: "it breaks" };
  const report = { testResults: [file([passed, failed]), file([passed])] };
  expect(tally(report, false)).toEqual({
    passed: 2,
    failed: 1,
    problems: ["failed: test/some.test.ts > it breaks"],
  });
});

test.each(["skipped", "pending", "todo", "disabled"])(
  "a test that is %s counts as failed",
  (status) => {
    const report = { testResults: [file([passed, { ...skipped, status }])] };
    expect(tally(report, true)).toMatchObject({ passed: 1, failed: 1 });
  },
);

test("a skipped test that is listed with its reason is let through", () => {
  const allowed = [
    { test: "test/some.test.ts > it will work", reason: "needs a kernel" },
  ];
  const report = { testResults: [file([passed, skipped])] };
  expect(tally(report, true, allowed)).toEqual({
    passed: 1,
    failed: 0,
    problems: [],
  });
});

test("a file that cannot be loaded counts as failed", () => {
  const report = { testResults: [file([], "SyntaxError"), file([passed])] };
  expect(tally(report, false)).toEqual({
    passed: 1,
    failed: 1,
    problems: ["test/some.test.ts: no test ran (SyntaxError)"],
  });
});

test("an error outside of any test counts as failed", () => {
  const report = { testResults: [file([passed])] };
  expect(tally(report, false)).toMatchObject({ passed: 1, failed: 1 });
});

test("the test files that are taken first are there", () => {
  expect(LONGEST.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
