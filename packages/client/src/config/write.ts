// Changes single keys of the client's configuration file and leaves the rest of it, comments included, as it was.
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, realpath, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isMap } from "yaml";
import { ExposeError } from "../errors.ts";
import { checkConfig } from "./check.ts";
import { locateConfig, type ConfigLocation } from "./locate.ts";
import type { ConfigFile } from "./schema.ts";
import { parseYamlFile } from "./yaml-file.ts";

/** Keys to set, as the file names them; `undefined` takes a key out. Paths count from the working directory. */
export type ConfigPatch = {
  readonly [Key in Exclude<keyof ConfigFile, "tunnels">]?:
    ConfigFile[Key] | undefined;
};

/**
 * Writes keys into the file, which is made if it is missing, and which from then on only its owner can read. Readers
 * see the old file or the new one; of two writers at the same moment one wins.
 *
 * @returns the file's path
 * @throws ExposeError `config-invalid` when the file has mistakes already (it stays as it is) or a value is none that
 *   the file may hold; `config-unreadable` when it cannot be read or written
 */
export async function writeClientConfig(
  patch: ConfigPatch,
  location: ConfigLocation,
): Promise<string> {
  const { path } = locateConfig(location);
  try {
    const target = await followLink(path);
    const before = await readIfThere(target);
    const after = patchText(path, before, patch);
    // mkdir's mode is for the folders that it makes; one that exists is somebody's own choice.
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await replaceFile(target, after);
    return path;
  } catch (error) {
    if (error instanceof ExposeError) throw error;
    throw new ExposeError(
      "config-unreadable",
      `The configuration file ${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)}). Look at the permissions of its folder.`,
      { cause: error },
    );
  }
}

function patchText(path: string, before: string, patch: ConfigPatch): string {
  const file = parseYamlFile(path, before);
  checkConfig(path, file);
  const { document } = file;
  if (file.value === undefined)
    document.contents = document.createNode({}) as never;
  // A file in one pair of braces gets unreadable as it grows.
  if (isMap(document.contents)) document.contents.flow = false;
  for (const [key, wanted] of Object.entries(patch)) {
    if (wanted === undefined) document.delete(key);
    else if (Array.isArray(wanted)) document.set(key, writtenPaths(wanted));
    else document.set(key, wanted);
  }
  const after = document.toString();
  checkConfig(path, parseYamlFile(path, after));
  return after;
}

// Relative paths count from the folder of the file, and these were meant from here. A single one needs no list.
function writtenPaths(paths: readonly string[]): string | string[] {
  const [first, ...rest] = paths.map((path) =>
    path.startsWith("~/") ? path : resolve(path),
  );
  return first === undefined
    ? []
    : rest.length === 0
      ? first
      : [first, ...rest];
}

// Who keeps configuration files elsewhere and links to them wants the file there to be changed.
async function followLink(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return path;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(text);
      // Without it a power cut could leave the new name with nothing behind it.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
