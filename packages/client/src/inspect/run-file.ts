// Where the inspectors of running clients are: each writes a file that its owner alone can read, with its port and its
// token. The command line finds them there, and a tunnel learns which ports it must not lead to.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "./is-alive.ts";

/** An inspector that runs. */
export interface RunningInspector {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** `http://127.0.0.1:4040`. */
  readonly url: string;
}

const FILE = /^inspector-([1-9]\d{0,9})-([1-9]\d{0,4})\.json$/;

/**
 * Writes the run file.
 *
 * @param folder is made when it is not there
 * @returns a function that removes the file; it may be called when the process exits
 * @throws what the system says
 */
export async function writeRunFile(
  folder: string,
  inspector: RunningInspector,
): Promise<() => void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const file = join(
    folder,
    `inspector-${inspector.pid}-${inspector.port}.json`,
  );
  const remove = (): void => rmSync(file, { force: true });
  // Whole or not at all. A file of the same name that a dead process left behind is replaced.
  const temporary = `${file}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(inspector)}\n`, {
    mode: 0o600,
    flag: "wx",
  });
  await rename(temporary, file);
  process.on("exit", remove);
  return () => {
    process.off("exit", remove);
    remove();
  };
}

/**
 * Finds the inspectors of this user that run, newest first. Files of processes that are gone are removed.
 *
 * @returns none when there is no such folder
 */
export async function readRunFiles(
  folder: string,
): Promise<RunningInspector[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const found = await Promise.all(
    names.map((name) => readRunFile(folder, name)),
  );
  return found
    .filter((inspector) => inspector !== undefined)
    .sort((a, b) => b.startedAt - a.startedAt);
}

async function readRunFile(
  folder: string,
  name: string,
): Promise<RunningInspector | undefined> {
  const pid = parseRunFileName(name)?.pid;
  if (pid === undefined) return undefined;
  const file = join(folder, name);
  if (!isAlive(pid)) {
    await rm(file, { force: true });
    return undefined;
  }
  try {
    const value = JSON.parse(await readFile(file, "utf8")) as unknown;
    return isRunningInspector(value) ? value : undefined;
  } catch (error) {
    // Removed meanwhile, or being written by a version that wrote in place: no inspector to speak to.
    if (error instanceof SyntaxError) return undefined;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** @returns undefined for a file that is no run file */
export function parseRunFileName(
  name: string,
): { pid: number; port: number } | undefined {
  const [, pid, port] = FILE.exec(name) ?? [];
  return pid === undefined
    ? undefined
    : { pid: Number(pid), port: Number(port) };
}

function isRunningInspector(value: unknown): value is RunningInspector {
  if (typeof value !== "object" || value === null) return false;
  const { pid, port, token, startedAt, url } = value as Record<string, unknown>;
  return (
    typeof pid === "number" &&
    typeof port === "number" &&
    Number.isInteger(port) &&
    port > 0 &&
    port <= 65_535 &&
    typeof token === "string" &&
    typeof startedAt === "number" &&
    typeof url === "string"
  );
}
