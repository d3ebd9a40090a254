// Completes package-lock.json: npm leaves packages for other platforms out when its registry lacks them, and then
// refuses its own lock file in `npm ci`. Run it after `npm install` when the arch test about the lock file asks for it.
import { readFileSync, writeFileSync } from "node:fs";

/**
 * Adds an entry for each optional platform package that the lock file names and does not hold.
 *
 * The entries bear no integrity, for want of the package; npm skips them by `os` and `cpu` everywhere else, and writes
 * the integrity in when `npm install` runs on such a platform.
 *
 * @param {{packages: Record<string, any>}} lock the parsed lock file; changed in place
 * @returns {string[]} what was added
 */
export function completeLock(lock) {
  const added = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(
      entry.optionalDependencies ?? {},
    )) {
      if (isLocked(lock, path, name)) continue;
      lock.packages[`node_modules/${name}`] = {
        version,
        ...platformOf(name),
        ...(entry.dev && { dev: true }),
        optional: true,
      };
      added.push(`${name}@${version}`);
    }
  }
  lock.packages = Object.fromEntries(
    Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return added;
}

function isLocked(lock, dependent, name) {
  // Node's look-up: the dependent's own node_modules first, then each one further out.
  for (let at = dependent; ; at = at.slice(0, at.lastIndexOf("/"))) {
    if (lock.packages[`${at ? `${at}/` : ""}node_modules/${name}`]) return true;
    if (!at.includes("/"))
      return Boolean(lock.packages[`node_modules/${name}`]);
  }
}

const OS = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const CPU = [
  "arm",
  "arm64",
  "ia32",
  "loong64",
  "mips64el",
  "ppc64",
  "riscv64",
  "s390x",
  "wasm32",
  "x64",
];

function platformOf(name) {
  const parts = name.slice(name.indexOf("/") + 1).split("-");
  const os = parts.filter((part) => OS.includes(part));
  const cpu = parts.filter((part) => CPU.includes(part));
  if (os.length !== 1 || cpu.length !== 1)
    throw new Error(
      `${name} is missing in package-lock.json and its name does not say for which platform it is: run npm install where the registry has it.`,
    );
  return { cpu, os };
}

if (import.meta.filename === process.argv[1]) {
  const file = new URL("../../package-lock.json", import.meta.url);
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const added = completeLock(lock);
  if (added.length > 0)
    writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(
    added.length > 0
      ? `added to package-lock.json: ${added.join(", ")}`
      : "package-lock.json is complete",
  );
}
