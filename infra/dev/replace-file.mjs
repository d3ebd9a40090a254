// Writes a file whole or not at all: a program that starts while a build runs must not read half of it.
import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** @param {string} path absolute; folders on the way are made */
export async function replaceFile(path, contents, mode = 0o644) {
  const temporary = `${path}.${process.pid}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, contents);
  await chmod(temporary, mode);
  await rename(temporary, path);
}
