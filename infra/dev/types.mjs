// Writes the declarations that a package ships: those that its index reaches, protocol's among them, and no others.
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { inRoot } from "./paths.mjs";

// An import, export or import() type in a declaration file.
const SPECIFIER = /((?:\bfrom|\bimport\()\s*)"([^"]+)"/g;

/**
 * Writes `packages/NAME/dist/types/`. Types are not checked here, `npm run types` does it.
 *
 * @param {"client" | "edge"} name
 * @returns {Promise<string>} the folder, relative to the root
 */
export async function writeTypes(name) {
  const emitted = inRoot(`.cache/types-${name}`);
  await rm(emitted, { recursive: true, force: true });
  await promisify(execFile)(process.execPath, [
    inRoot("node_modules/typescript/bin/tsc"),
    "--project",
    inRoot(`infra/dev/tsconfig.types-${name}.json`),
  ]);

  const folder = `packages/${name}/dist/types`;
  await rm(inRoot(folder), { recursive: true, force: true });
  const queue = [`${name}/src/index.d.ts`];
  const seen = new Set(queue);
  for (const file of queue) {
    const text = await readFile(join(emitted, file), "utf8");
    const rewritten = text.replace(SPECIFIER, (whole, keyword, specifier) => {
      const target = findTarget(file, specifier);
      if (!target) return whole;
      if (!seen.has(target)) queue.push(target);
      seen.add(target);
      return `${keyword}"${toSpecifier(file, target)}"`;
    });
    const path = inRoot(`${folder}/${file}`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, rewritten);
  }
  return folder;
}

/** The emitted file behind an import; undefined for Node's modules and for packages that stay dependencies. */
function findTarget(file, specifier) {
  const protocol = /^@expose\/protocol(?:\/(.+))?$/.exec(specifier);
  if (protocol) return `protocol/src/${protocol[1] ?? "index"}.d.ts`;
  if (!specifier.startsWith(".")) return undefined;
  return join(dirname(file), specifier).replace(/\.ts$/, ".d.ts");
}

function toSpecifier(from, target) {
  const path = relative(dirname(from), target).replace(/\.d\.ts$/, ".js");
  return path.startsWith(".") ? path : `./${path}`;
}
