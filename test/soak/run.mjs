// `npm run soak -- KIND`: builds the product, bundles the long runs (Node 20 cannot run TypeScript) and starts one.
import { pathToFileURL } from "node:url";
import { build as esbuild } from "esbuild";
import { build } from "../../infra/dev/build.mjs";
import { inRoot } from "../../infra/dev/paths.mjs";

await build();
await esbuild({
  entryPoints: [inRoot("test/soak/main.ts")],
  // As deep as test/harness and test/soak, which find files of the checkout by where they are themselves.
  outfile: inRoot(".cache/soak/main.mjs"),
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  // The test harness registers the ends of its programs with vitest where it can; here whoever starts them ends them.
  alias: { vitest: inRoot("test/soak/no-vitest.mjs") },
  external: ["@expose/client", "ws"],
  sourcemap: "inline",
  logLevel: "warning",
});
await import(pathToFileURL(inRoot(".cache/soak/main.mjs")).href);
