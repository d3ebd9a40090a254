// npm run test:corpus -- DIR: the raw requests of a folder through the conformance harness.
import { resolve } from "node:path";
import { inRoot } from "./paths.mjs";
import { run } from "./run.mjs";

const folder = process.argv[2];
if (folder === undefined) {
  console.error("Which folder? npm run test:corpus -- DIR");
  process.exitCode = 2;
} else {
  process.env.EXPOSE_CORPUS = resolve(folder);
  const passed = await run([
    process.execPath,
    inRoot("node_modules/vitest/vitest.mjs"),
    ...["run", "--project", "conformance", "test/conformance/corpus.test.ts"],
  ]);
  process.exitCode = passed ? 0 : 1;
}
