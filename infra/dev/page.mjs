// Builds the inspector's page with Vite, into what the client ships.
import { readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { findLicences } from "./licences.mjs";
import { inRoot } from "./paths.mjs";
import { replaceFile } from "./replace-file.mjs";

/** Where the page lands, relative to the root. */
export const pageFolder = "packages/client/dist/inspector";

/**
 * Writes the page and, beside its folder, the licences of what it holds.
 *
 * @returns {Promise<string>} the folder, relative to the root
 */
export async function buildPage() {
  const { build } = await import("vite");
  // Vite sets it for good, and whoever builds may start other programs afterwards. Tests build with one of their own.
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = "production";
  const { output } = await build({
    configFile: inRoot("packages/inspector/vite.config.ts"),
    logLevel: "warn",
    // By ourselves: a client that serves the page while it is built must find all of it.
    build: { write: false },
  }).finally(() => restore(before));
  // index.html last: what it names is there before it is.
  const files = output
    .map((file) => ({
      name: file.fileName,
      contents: file.code ?? file.source,
    }))
    .sort(({ name }) => (name.endsWith(".html") ? 1 : -1));
  for (const { name, contents } of files)
    await replaceFile(inRoot(`${pageFolder}/${name}`), contents);
  await removeOthers(new Set(files.map(({ name }) => name)));

  const inputs = output
    .flatMap((file) => Object.keys(file.modules ?? {}))
    .map((path) => relative(inRoot(), path));
  await replaceFile(
    inRoot(`${pageFolder}.licences.txt`),
    findLicences(inputs.filter((path) => path.includes("node_modules/"))),
  );
  return pageFolder;
}

function restore(value) {
  if (value === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = value;
}

/** Removes what an earlier build wrote under another name. */
async function removeOthers(kept) {
  const folder = inRoot(pageFolder);
  const entries = await readdir(folder, {
    recursive: true,
    withFileTypes: true,
  });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !kept.has(relative(folder, path))) await rm(path);
  }
}
