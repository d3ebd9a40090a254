// Installs the locked dependencies when they are missing or differ from package-lock.json.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { withLock } from "./lock.mjs";
import { inRoot } from "./paths.mjs";
import { run } from "./run.mjs";

/** @throws when npm cannot install them */
export async function installDependencies() {
  if (isInstalled()) return;
  await withLock("install", async () => {
    if (isInstalled()) return;
    console.log("installing the locked dependencies (npm ci)");
    if (!(await run(["npm", "ci"], { env: { CI: "true", ...headers() } })))
      throw new Error("npm ci failed; its messages stand above.");
  });
}

// npm keeps a lock file of what it installed. Comparing the two needs no stamp of our own, which plain `npm ci` would miss.
function isInstalled() {
  const wanted = readPackages("package-lock.json");
  const installed = readPackages("node_modules/.package-lock.json");
  if (!installed) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === "" || path.startsWith("packages/")) return true;
    const entry = installed[path];
    return entry ? entry.version === version : Boolean(optional);
  });
}

function readPackages(file) {
  const path = inRoot(file);
  return existsSync(path)
    ? JSON.parse(readFileSync(path, "utf8")).packages
    : undefined;
}

// Native addons are compiled against Node's headers. Where Node brought them, node-gyp need not download them; where the
// addons cannot be compiled, everything works without.
function headers() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include/node/node.h"))
    ? { npm_config_nodedir: prefix }
    : {};
}
