// Knows whether what was made from files is still up to date: a hash over those files, kept in .cache.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inRoot } from "./paths.mjs";

/**
 * Hashes names and contents of files.
 *
 * @param {string[]} paths files and folders, relative to the root; of folders everything but tests
 */
export function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const file of paths.flatMap(listFiles).sort())
    hash
      .update(`${file}\0`)
      .update(readFileSync(inRoot(file)))
      .update("\0");
  return hash.digest("hex");
}

/** The fingerprint that was last kept under this name, undefined when none was. */
export function readStamp(name) {
  try {
    return readFileSync(inRoot(`.cache/${name}.stamp`), "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

export function writeStamp(name, value) {
  mkdirSync(inRoot(".cache"), { recursive: true });
  writeFileSync(inRoot(`.cache/${name}.stamp`), value);
}

function listFiles(path) {
  try {
    return readdirSync(inRoot(path), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
      .map((entry) =>
        join(entry.parentPath, entry.name).slice(inRoot().length),
      );
  } catch (error) {
    if (error.code === "ENOTDIR") return [path];
    throw error;
  }
}
