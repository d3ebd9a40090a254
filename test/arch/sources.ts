// Reads the project's own source files for the tests beside this one.
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative, sep } from "node:path";

/** The root of the checkout. */
export const ROOT = join(import.meta.dirname, "../..");

/** Reads a file of the checkout as text. */
export const readSource = (path: string): string =>
  readFileSync(join(ROOT, path), "utf8");

/** Source files below some folders, as paths relative to the root with `/`, sorted. What was built or installed is left out. */
export function listSources(
  folders: readonly string[],
  endings: readonly string[] = [".ts", ".tsx", ".mjs"],
): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true }),
    )
    .filter(
      (entry) =>
        entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)),
    )
    .map((entry) =>
      relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join("/"),
    )
    .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path))
    .sort();
}

/** One import or re-export, as it stands in a source file. */
export interface Import {
  readonly specifier: string;
  /** Whether nothing of it is left when types are stripped. */
  readonly typeOnly: boolean;
  /** `import()`: loaded only when it is reached. */
  readonly lazy: boolean;
}

// Prettier gives imports one form, so that they can be read without a parser.
const STATIC =
  /^(?:import|export)\s(type\s)?([^;"']*?)\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*"([^"]+)"\s*\)(\.\w+)?/g;

/** The imports of a source text. */
export function parseImports(source: string): Import[] {
  const code = source.replace(/^\s*\/\/.*$|^\s*\/?\*.*$/gm, "");
  return [
    ...[...code.matchAll(STATIC)].map((match) => ({
      specifier: match[3] ?? match[4] ?? "",
      typeOnly:
        match[1] !== undefined ||
        /^\{(\s*type\s[^,}]+,?)+\s*\}\s*$/.test(match[2] ?? ""),
      lazy: false,
    })),
    ...[...code.matchAll(DYNAMIC)].map((match) => ({
      specifier: match[1] ?? "",
      // `import("x").Name` is a type; a module that is loaded is a promise, which has no such property.
      typeOnly: /^\.[A-Z]/.test(match[2] ?? ""),
      lazy: true,
    })),
  ];
}

/** The file that a relative specifier means, undefined for packages. */
export const resolveImport = (
  file: string,
  specifier: string,
): string | undefined =>
  specifier.startsWith(".")
    ? posix.join(posix.dirname(file), specifier)
    : undefined;
