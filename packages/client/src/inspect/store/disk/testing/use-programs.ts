// For the tests of this folder: bundles what runs in threads and processes of its own. Node 20 runs no TypeScript.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundled files. */
export interface Programs {
  readonly worker: string;
  /** writer.ts */
  readonly writer: string;
  /** keeper.ts */
  readonly keeper: string;
}

const here = (path: string): string =>
  fileURLToPath(new URL(path, import.meta.url));
// Below the root, so that the packages are found.
const OUT = here("../../../../../../../.cache/history-test");

/** @param owner keeps test files apart that run at the same time */
export async function buildPrograms(owner: string): Promise<Programs> {
  const outdir = `${OUT}/${owner}`;
  await build({
    entryPoints: {
      worker: here("../worker.ts"),
      writer: here("writer.ts"),
      keeper: here("keeper.ts"),
    },
    outdir,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    platform: "node",
    target: "node20.19",
    format: "cjs",
    external: ["node-sqlite3-wasm"],
    // The worker's own place is said by whoever starts it.
    define: { "import.meta.url": '"file:///"' },
    logLevel: "warning",
  });
  return {
    worker: `${outdir}/worker.cjs`,
    writer: `${outdir}/writer.cjs`,
    keeper: `${outdir}/keeper.cjs`,
  };
}
