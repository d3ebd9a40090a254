// `npm run bench -- WORKLOAD…`: builds the product, bundles the bench (Node 20 cannot run TypeScript) and runs it.
import { pathToFileURL } from "node:url";
import { build as esbuild } from "esbuild";
import { build } from "../../infra/dev/build.mjs";
import { inRoot } from "../../infra/dev/paths.mjs";

await build();
await esbuild({
  entryPoints: {
    main: inRoot("test/bench/main.ts"),
    client: inRoot("test/bench/setups/api-client.ts"),
  },
  // As deep as test/harness, which finds files of the checkout by where it is itself.
  outdir: inRoot(".cache/bench"),
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  // The test harness registers the ends of its programs with vitest where it can; here whoever starts them ends them.
  alias: { vitest: inRoot("test/bench/no-vitest.mjs") },
  // The client that is measured is the built one; ws is no ES module.
  external: ["@expose/client", "ws"],
  define: { BENCH_ROOT: JSON.stringify(inRoot()) },
  sourcemap: "inline",
  logLevel: "warning",
});
await import(pathToFileURL(inRoot(".cache/bench/main.mjs")).href);
