// The processes of this machine, for those that a test started indirectly: children of children, and what became orphans.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A process as /proc shows it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  /** Its words, each with a zero behind it. */
  readonly command: string;
}

const POLL_MS = 5;

/** All that run now. */
export function listProcesses(): ProcessInfo[] {
  const found: ProcessInfo[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      found.push({
        pid: Number(name),
        parent: Number(/^PPid:\t(\d+)/m.exec(status)?.[1]),
        uid: Number(/^Uid:\t(\d+)/m.exec(status)?.[1]),
        command: readFileSync(`/proc/${name}/cmdline`, "utf8"),
      });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Children of a process, and theirs. */
export function descendants(pid: number): ProcessInfo[] {
  const processes = listProcesses();
  const below = (parent: number): ProcessInfo[] =>
    processes
      .filter((candidate) => candidate.parent === parent)
      .flatMap((child) => [child, ...below(child.pid)]);
  return below(pid);
}

/** Kills processes and waits until they are gone. */
export async function endProcesses(
  processes: readonly ProcessInfo[],
): Promise<void> {
  await Promise.all(
    processes.map(({ pid }) => {
      kill(pid);
      return hasEnded(pid);
    }),
  );
}

/** Resolves when a process is gone or has nobody but its parent to wait for. Nothing tells us of other people's children. */
export async function hasEnded(pid: number): Promise<void> {
  while (isRunning(pid)) await sleep(POLL_MS);
}

/** Sends SIGKILL to a process that may have gone. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in the meantime.
  }
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
