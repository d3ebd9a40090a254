// From the path of a request to an open file, or to nothing. All that keeps visitors inside the folder is in here.
import { constants, type BigIntStats } from "node:fs";
import {
  lstat,
  open,
  readlink,
  realpath,
  type FileHandle,
} from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import type { FileFacts } from "./folder-answer.ts";

/** An open file; whoever asked for it closes it. */
export interface FoundFile extends FileFacts {
  kind: "file";
  /** As it was asked for, which may be the name of a link. */
  name: string;
  handle: FileHandle;
}

/** What a path leads to. `missing` covers what may not be seen: it must not be told apart. */
export type Found =
  FoundFile | { kind: "redirect"; location: string } | { kind: "missing" };

/** Gives a folder's absolute path; `~` stands for the home folder. */
export function resolveFolder(folder: string): string {
  return resolve(folder.replace(/^~(?=\/|$)/, () => homedir()));
}

/**
 * Opens the file that a request's target names. Every request looks anew, because folders are rebuilt while they are
 * served.
 *
 * @param root absolute path of the folder
 * @param target path and query as they stood in the request line
 * @throws system errors that mean neither "not there" nor "not allowed"
 */
export async function findFile(root: string, target: string): Promise<Found> {
  const [path = "", ...query] = stripOrigin(target).split("?");
  const segments = parsePath(path);
  if (!segments) return missing;
  const asFolder = segments.at(-1) === "";
  const file = await openInside(
    root,
    asFolder ? segments.slice(0, -1) : segments,
  );
  if (!file) return missing;
  if (file.kind === "file") return asFolder ? close(file) : file;
  if (!asFolder)
    return {
      kind: "redirect",
      location: [`${path}/`, ...query].join("?"),
    };
  const index = await openInside(root, [
    ...segments.slice(0, -1),
    "index.html",
  ]);
  return index?.kind === "file" ? index : missing;
}

const missing: Found = { kind: "missing" };

async function close(file: FoundFile): Promise<Found> {
  await file.handle.close();
  return missing;
}

// RFC 9112 section 3.2.2: servers have to accept the absolute form.
const stripOrigin = (target: string): string =>
  target.replace(/^https?:\/\/[^/?#]*(?=[/?]|$)/i, "") || "/";

/** @returns decoded names, the last one empty when the path ends with a slash; undefined for what cannot be served */
function parsePath(path: string): string[] | undefined {
  if (!path.startsWith("/")) return undefined;
  const names: string[] = [];
  const parts = path.slice(1).split("/");
  for (const [i, part] of parts.entries()) {
    const name = decode(part);
    if (name === undefined || !isPlainName(name, i === parts.length - 1))
      return undefined;
    names.push(name);
  }
  return names;
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined; // A "%" that begins no escape, or an escape that is no UTF-8.
  }
}

// An empty name in the middle would also make "//elsewhere.example/" out of a redirect, and so would a backslash, which
// browsers take for a slash. Names with a leading dot are ".", "..", and what people keep from view (.git, .env).
const isPlainName = (name: string, last: boolean): boolean =>
  (name !== "" || last) && !name.startsWith(".") && !/[/\\\0]/.test(name);

type Opened = FoundFile | { kind: "folder" };

async function openInside(
  root: string,
  names: readonly string[],
): Promise<Opened | undefined> {
  try {
    const realRoot = await realpath(root);
    const path = await realpath(join(realRoot, ...names));
    if (!isInside(realRoot, path)) return undefined;
    return await openReal(realRoot, path, names.at(-1) ?? "");
  } catch (error) {
    if (NOT_THERE.has((error as NodeJS.ErrnoException).code ?? ""))
      return undefined;
    throw error;
  }
}

const NOT_THERE = new Set([
  ...["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EACCES", "EPERM"],
  // A socket, or a device without a driver.
  ...["ENXIO", "ENODEV", "EISDIR"],
]);

// A link may lead to a name with a dot although the way to it has none.
function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return (
    !isAbsolute(way) && !way.split(sep).some((name) => name.startsWith("."))
  );
}

async function openReal(
  root: string,
  path: string,
  name: string,
): Promise<Opened | undefined> {
  // Not blocking, since opening a pipe would wait for its writer; not following, since the path has been followed.
  const handle = await open(
    path,
    constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW,
  );
  let keep = false;
  try {
    const stats = await handle.stat({ bigint: true });
    const opened = await whereOpened(handle, path, stats);
    if (opened === undefined || !isInside(root, opened)) return undefined;
    if (stats.isDirectory()) return { kind: "folder" };
    if (!stats.isFile()) return undefined;
    keep = true;
    return {
      kind: "file",
      name,
      handle,
      size: Number(stats.size),
      modifiedMs: Number(stats.mtimeMs),
      etag: `"${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}"`,
    };
  } finally {
    if (!keep) await handle.close();
  }
}

// Somebody may have put a link in the way since it was looked at. Linux says which file was opened; elsewhere, and
// without /proc, the path is looked at once more, which leaves a gap for whoever can write to the folder and wins two
// races in a row.
async function whereOpened(
  handle: FileHandle,
  path: string,
  stats: BigIntStats,
): Promise<string | undefined> {
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`);
  } catch {
    const now = await lstat(path, { bigint: true });
    const same = now.ino === stats.ino && now.dev === stats.dev;
    return same ? realpath(path) : undefined;
  }
}
