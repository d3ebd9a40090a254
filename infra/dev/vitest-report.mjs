// Reads vitest's JSON report: how many tests passed and failed, and that none was skipped in silence.
import { readFileSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { allowedSkips } from "../../test/allowed-skips.mjs";
import { inRoot } from "./paths.mjs";

/**
 * Reads a report and removes it, so that no later run takes it for its own.
 *
 * @param {string} file
 * @param {boolean} exitedWell whether vitest ended with status 0
 */
export function readReport(file, exitedWell) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const problem = `vitest left no report (${error.code ?? error.message})`;
    return { passed: 0, failed: 1, problems: [problem] };
  }
  rmSync(file);
  return tally(report, exitedWell);
}

/**
 * @param {any} report as vitest's json reporter writes it
 * @param {boolean} exitedWell
 * @param {readonly { test: string, reason: string }[]} [allowed] tests that may be skipped, by "file > full name"
 */
export function tally(report, exitedWell, allowed = allowedSkips) {
  const count = { passed: 0, failed: 0, problems: [] };
  const fail = (problem) => {
    count.failed += 1;
    count.problems.push(problem);
  };
  for (const { name, message, assertionResults } of report.testResults) {
    const path = relative(inRoot(), name);
    if (assertionResults.length === 0)
      fail(`${path}: no test ran${message ? ` (${message})` : ""}`);
    for (const { status, fullName } of assertionResults) {
      const test = `${path} > ${fullName}`;
      if (status === "passed") count.passed += 1;
      else if (status === "failed") fail(`failed: ${test}`);
      else if (!allowed.some((skip) => skip.test === test))
        fail(
          `skipped: ${test} (mend it, or list it with its reason in test/allowed-skips.mjs)`,
        );
    }
  }
  // An error outside of any test: an unhandled rejection, a failing hook, a file that cannot be loaded.
  if (!exitedWell && count.failed === 0)
    fail("vitest failed outside of any test; its messages stand above");
  return count;
}
