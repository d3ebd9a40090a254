// Keeps what V8 made of the program's text, so that the next start need not parse and compile it again. What is in here
// is run as it is: it is read from nowhere that anybody else can write to.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { arch, getuid } from "node:process";
import { cachedDataVersionTag } from "node:v8";

/** What decides where the cache is, and whether there is one. */
export interface CodeCacheOptions {
  /** Stands for the program's text. */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The person's home folder. */
  readonly home: string;
}

/** See the file's head. Neither method throws: without a cache a start takes a little longer, and no more. */
export interface CodeCache {
  /** What write() was given by an earlier run with the same program and the same V8. */
  read(): Buffer | undefined;
  write(data: Buffer): void;
}

const PREFIX = "program-";
const OLD_MS = 30 * 24 * 60 * 60 * 1_000;
const OTHERS_MAY_WRITE = 0o022;

/**
 * @returns undefined where nobody else can be kept from writing (Windows tells by other means than owner and mode), and
 * where NODE_DISABLE_COMPILE_CACHE, which is Node's own, says so
 */
export function openCodeCache(
  options: CodeCacheOptions,
): CodeCache | undefined {
  const uid = getuid?.();
  if (uid === undefined || options.env["NODE_DISABLE_COMPILE_CACHE"])
    return undefined;
  const folder = folderFor(options);
  const file = join(
    folder,
    // V8 looks at its version and its flags too; with both in the name two versions of Node do not take turns writing.
    `${PREFIX}${options.program}-${arch}-${cachedDataVersionTag().toString(16)}`,
  );
  return {
    read() {
      try {
        return isPrivate(folder, uid) ? readOwn(file, uid) : undefined;
      } catch {
        // There is none yet, or it cannot be read.
        return undefined;
      }
    },
    write(data) {
      try {
        if (!makePrivate(folder, uid)) return;
        // Whole or not at all: another start may read it now.
        const temporary = `${file}.${process.pid}`;
        writeFileSync(temporary, data, { flag: "wx", mode: 0o600 });
        renameSync(temporary, file);
        removeOld(folder, file);
      } catch {
        // A full disk, a home that cannot be written: the next start is as slow as this one.
      }
    },
  };
}

// XDG Base Directory Specification: relative paths in these variables are to be ignored.
function folderFor({ env, home }: CodeCacheOptions): string {
  const base = env["XDG_CACHE_HOME"];
  return join(
    base !== undefined && isAbsolute(base) ? base : join(home, ".cache"),
    "expose",
  );
}

function isPrivate(folder: string, uid: number): boolean {
  const info = lstatSync(folder);
  return (
    info.isDirectory() &&
    info.uid === uid &&
    (info.mode & OTHERS_MAY_WRITE) === 0
  );
}

function makePrivate(folder: string, uid: number): boolean {
  // Somebody else's home, as under sudo: they would find a folder there that they cannot write to.
  const parent = dirname(folder);
  const above = [parent, dirname(parent)].find((path) => exists(path));
  if (above === undefined || statSync(above).uid !== uid) return false;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return isPrivate(folder, uid);
}

function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}

function readOwn(file: string, uid: number): Buffer | undefined {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const info = fstatSync(fd);
    const isOwn =
      info.isFile() && info.uid === uid && (info.mode & OTHERS_MAY_WRITE) === 0;
    return isOwn ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

// Each release and each version of Node leaves one.
function removeOld(folder: string, current: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!name.startsWith(PREFIX) || path === current) continue;
    if (Date.now() - statSync(path).mtimeMs > OLD_MS) unlinkSync(path);
  }
}
