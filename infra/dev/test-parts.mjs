// The parts of `npm test` in order of speed, and how each is run.
import { existsSync } from "node:fs";
import { inRoot } from "./paths.mjs";
import { run } from "./run.mjs";
import { readReport } from "./vitest-report.mjs";

// A part that hangs must fail and not hold CI up.
const PART_LIMIT_MS = 15 * 60_000;

// As many as CI has processors; vitest's own choice there is one.
const TWO_FILES = ["--maxWorkers=2"];

/**
 * @typedef {{ passed: number, failed: number, problems: string[] }} Tally
 * @type {Record<string, () => Promise<Tally>>}
 */
export const parts = {
  // Whatever comes later uses what was built; when the sources have not changed it takes no time.
  build: () => check("infra/dev/build.mjs"),
  format: () => check("node_modules/prettier/bin/prettier.cjs", "--check", "."),
  lint: () => check("node_modules/oxlint/bin/oxlint", "--deny-warnings"),
  types: async () =>
    add(
      await check("node_modules/typescript/bin/tsc", "--noEmit"),
      // What runs in browsers knows other globals.
      await check(
        "node_modules/typescript/bin/tsc",
        ...["--noEmit", "--project", "packages/inspector"],
      ),
    ),
  // Two files at a time: tests of different files share no port, folder or account, and wait for one another's sake nowhere.
  unit: () => vitest("unit", ...TWO_FILES),
  arch: () => vitest("arch"),
  e2e: () => vitest("e2e", ...TWO_FILES),
  browser: () => vitest("browser", ...TWO_FILES),
  // Empty until its first suite; vitest fails when it finds no tests.
  ...(existsSync(inRoot("test/conformance")) && {
    conformance: () => vitest("conformance", ...TWO_FILES),
  }),
};

/** A check counts as one test. */
async function check(script, ...args) {
  return (await node(script, args))
    ? { passed: 1, failed: 0, problems: [] }
    : { passed: 0, failed: 1, problems: ["failed; its messages stand above"] };
}

const add = (a, b) => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  problems: [...a.problems, ...b.problems],
});

async function vitest(project, ...options) {
  const report = inRoot(`.cache/vitest-${project}.json`);
  const exitedWell = await node("node_modules/vitest/vitest.mjs", [
    "run",
    "--project",
    project,
    ...options,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ]);
  return readReport(report, exitedWell);
}

// With the Node that runs us: .ci/run starts us with another one.
const node = (script, args) =>
  run([process.execPath, inRoot(script), ...args], {
    timeoutMs: PART_LIMIT_MS,
  });
