// Finds the files that an Include of ssh_config(5) names with glob(7) wildcards.
import { readdir } from "node:fs/promises";
import { join, parse, sep } from "node:path";
import { matchPattern } from "./pattern.ts";

/**
 * Gives the paths that a pattern covers, in the order of their names. A path without wildcards is given back as it is,
 * whether or not it exists; folders that cannot be read hold nothing. Knows `*` and `?`, no brackets or braces.
 *
 * @param pattern absolute path
 */
export async function expandGlob(pattern: string): Promise<string[]> {
  const { root } = parse(pattern);
  let paths = [root];
  for (const part of pattern.slice(root.length).split(sep)) {
    if (!/[*?]/.test(part)) {
      paths = paths.map((path) => join(path, part));
      continue;
    }
    const found = await Promise.all(
      paths.map(async (folder) => {
        const names = await readdir(folder).catch(() => []);
        return names
          .filter((name) => isCovered(name, part))
          .toSorted()
          .map((name) => join(folder, name));
      }),
    );
    paths = found.flat();
  }
  return paths;
}

// A leading dot is matched only by a dot, as in glob(7): editors leave such files about.
const isCovered = (name: string, pattern: string): boolean =>
  matchPattern(name, pattern) &&
  (pattern.startsWith(".") || !name.startsWith("."));
