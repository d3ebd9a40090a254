// What the kernel says of processes: CPU time and memory of process trees.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const TICKS_PER_S = Number(
  execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }),
);

/** Processes and all below them, each once. */
export function processTree(roots: readonly number[]): number[] {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(readStat(Number(name))?.[1]);
    const siblings = parents.get(parent);
    if (siblings) siblings.push(Number(name));
    else parents.set(parent, [Number(name)]);
  }
  const found = new Set<number>();
  const visit = (pid: number): void => {
    if (found.has(pid)) return;
    found.add(pid);
    for (const child of parents.get(pid) ?? []) visit(child);
  };
  for (const root of roots) visit(root);
  return [...found];
}

/** CPU seconds that processes have used so far, those of their ended and awaited children included. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readStat(pid);
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
    if (stat) for (const field of stat.slice(11, 15)) ticks += Number(field);
  }
  return ticks / TICKS_PER_S;
}

/** CPU seconds of the children of this process that have ended and were awaited. */
export function endedChildrenSeconds(): number {
  const stat = readStat(process.pid) ?? [];
  return (Number(stat[13]) + Number(stat[14])) / TICKS_PER_S;
}

/** Resident and proportional memory of processes in MiB. */
export function memoryMib(pids: readonly number[]): {
  rss: number;
  pss: number;
} {
  const total = { rss: 0, pss: 0 };
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      total.rss += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
      total.pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
    } catch {
      // It has ended.
    }
  }
  return total;
}

/** Ends all processes of an account, those too that it starts meanwhile. */
export async function killAccount(uid: number): Promise<void> {
  for (;;) {
    const pids = readdirSync("/proc").filter(
      (name) => /^\d+$/.test(name) && uidOf(name) === uid,
    );
    if (pids.length === 0) return;
    for (const pid of pids) kill9(Number(pid));
    await sleep(10);
  }
}

function uidOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^Uid:\s+(\d+)/m.exec(text)?.[1]);
  } catch {
    return undefined;
  }
}

/** SIGKILL to a process that may have ended. */
export function kill9(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** The fields of /proc/PID/stat from the third (state) on; undefined when the process has ended. */
function readStat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name, which may contain anything.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
