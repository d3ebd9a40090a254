// `npm run build`: bundles and declarations of the client and the edge, and the inspector's page, unless they are up to date (`--force` does it anyway).
import { existsSync } from "node:fs";
import { fingerprint, readStamp, writeStamp } from "./fingerprint.mjs";
import { withLock } from "./lock.mjs";
import { inRoot } from "./paths.mjs";

const INPUTS = [
  "packages/protocol/src",
  "packages/client/src",
  "packages/edge/src",
  "packages/inspector/index.html",
  "packages/inspector/src",
  "packages/inspector/vite.config.ts",
  "infra/dev",
  "tsconfig.json",
  "package-lock.json",
];

/**
 * Builds what is out of date.
 *
 * @returns {Promise<string[]>} files that were written, relative to the root; none when all were up to date
 */
export function build({ force = false } = {}) {
  return withLock("build", async () => {
    // Only now: these need the installed dependencies.
    const { bundle, bundles } = await import("./bundle.mjs");
    const { buildPage, pageFolder } = await import("./page.mjs");
    const { writeTypes } = await import("./types.mjs");
    const now = fingerprint(INPUTS);
    const complete = [
      ...bundles.flatMap(({ outfile, launcher }) => [
        outfile,
        ...(launcher ? [launcher.outfile] : []),
      ]),
      ...["client", "edge"].map((name) => `packages/${name}/dist/types`),
      `${pageFolder}/index.html`,
    ].every((path) => existsSync(inRoot(path)));
    if (!force && complete && readStamp("build") === now) return [];
    // All of it, also when a part fails: a mistake in the edge must not leave the client's tests with an old client.
    const results = await Promise.allSettled([
      ...bundles.map(bundle),
      writeTypes("client"),
      writeTypes("edge"),
      buildPage(),
    ]);
    for (const { reason } of results) if (reason) throw reason;
    writeStamp("build", now);
    return results.flatMap(({ value }) => value);
  });
}

if (import.meta.filename === process.argv[1]) await main();

async function main() {
  const startedAt = performance.now();
  try {
    const written = await build({ force: process.argv.includes("--force") });
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    console.log(
      written.length > 0
        ? `built ${written.join(", ")} in ${seconds} s`
        : "everything is up to date",
    );
  } catch (error) {
    // What exactly is wrong was printed by esbuild or tsc.
    console.error(`${error.message}\n${error.stdout ?? ""}`);
    process.exitCode = 1;
  }
}
