// What is built from what, and how esbuild does it. docs/decisions/0003-esbuild-bundles.md says why.
import { readFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { findLicences } from "./licences.mjs";
import { nativeAddons } from "./native-addons.mjs";
import { inRoot } from "./paths.mjs";
import { sessionName } from "./session-name.mjs";
import { replaceFile } from "./replace-file.mjs";

/** Each program and library that is shipped. */
export const bundles = [
  {
    entry: "packages/client/src/cli/main.ts",
    outfile: "packages/client/dist/program.cjs",
    format: "cjs",
    executable: false,
    // What people run. docs/decisions/0007-code-cache.md says why there are two.
    launcher: {
      entry: "packages/client/src/cli/launch.ts",
      outfile: "packages/client/dist/cli.cjs",
    },
  },
  {
    entry: "packages/client/src/index.ts",
    outfile: "packages/client/dist/index.js",
    format: "esm",
    executable: false,
  },
  {
    // A thread of the client: docs/decisions/0008-capture.md.
    entry: "packages/client/src/inspect/store/disk/worker.ts",
    outfile: "packages/client/dist/history-worker.cjs",
    format: "cjs",
    executable: false,
    // It looks for its WebAssembly beside itself.
    assets: ["node_modules/node-sqlite3-wasm/dist/node-sqlite3-wasm.wasm"],
  },
  {
    entry: "packages/edge/src/main.ts",
    outfile: "packages/edge/dist/main.js",
    format: "esm",
    executable: true,
  },
  {
    entry: "packages/edge/src/worker.ts",
    outfile: "packages/edge/dist/worker.js",
    format: "esm",
    executable: false,
  },
  {
    entry: "packages/edge/src/index.ts",
    outfile: "packages/edge/dist/index.js",
    format: "esm",
    executable: false,
  },
];

// Inlined CommonJS packages look for `require` and `__dirname`, our own sources for `import.meta.url`: each format lacks
// what the other has.
const FORMAT = {
  cjs: {
    banner: `"use strict"; const importMetaUrl = require("node:url").pathToFileURL(__filename).href;`,
    define: { "import.meta.url": "importMetaUrl" },
  },
  esm: {
    banner: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url), __dirname = import.meta.dirname;`,
    define: {},
  },
};

// What Node puts around a CommonJS module. A launcher would have to make a copy of the whole text to do so.
const MODULE_WRAPPER = [
  "(function (exports, require, module, __filename, __dirname) { ",
  "})",
];

/**
 * Bundles one program or library. Everything is inlined but Node's own modules and native addons. Modules behind a
 * dynamic import stay in the same file and still run only when they are asked for.
 *
 * @param {(typeof bundles)[number]} bundle
 */
export async function bundle({
  entry,
  outfile,
  format,
  executable,
  launcher,
  assets = [],
  define = {},
}) {
  const { banner, define: formatDefine } = FORMAT[format];
  const [open, close] = launcher ? MODULE_WRAPPER : ["", ""];
  const result = await build({
    entryPoints: [inRoot(entry)],
    outfile: inRoot(outfile),
    absWorkingDir: inRoot(),
    bundle: true,
    platform: "node",
    target: "node20.19",
    format,
    define: { ...formatDefine, ...define },
    banner: {
      js: `${executable ? "#!/usr/bin/env node\n" : ""}${open}${banner}`,
    },
    footer: { js: close },
    // The launcher reads it as Latin-1, which is the fastest.
    charset: "ascii",
    plugins: [nativeAddons, sessionName],
    minify: false,
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
    write: false,
  });
  const [{ path, contents, hash }] = result.outputFiles;
  await replaceFile(path, contents, executable ? 0o755 : 0o644);
  const inputs = Object.keys(result.metafile.inputs);
  if (inputs.some((input) => input.includes("node_modules/")))
    await replaceFile(`${path}.licences.txt`, findLicences(inputs), 0o644);
  for (const asset of assets)
    await replaceFile(
      join(dirname(path), basename(asset)),
      await readFile(inRoot(asset)),
    );
  // After the program, so that nobody starts a new launcher with an old one.
  if (launcher)
    await bundle({
      ...launcher,
      format,
      executable: true,
      define: {
        PROGRAM: JSON.stringify({
          file: basename(outfile),
          hash: hash.replaceAll(/\W/g, ""),
        }),
      },
    });
  return relative(inRoot(), inRoot(outfile));
}
