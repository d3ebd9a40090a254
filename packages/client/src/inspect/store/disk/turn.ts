// Takes turns with other processes at a file. Node has no flock, and the lock of the database (a folder beside its file)
// stays behind when its owner is killed. This one says whose it is, so that those who come later know when he is dead.
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { randomBytes } from "node:crypto";
import { isAlive } from "../../is-alive.ts";

/** Turns at one file. For a thread that may sleep: waiting blocks it. */
export interface Turns {
  /**
   * Waits for its turn, does `work`, and ends the turn however that goes.
   *
   * @throws TurnError when others kept it for too long; what `work` throws
   */
  take<T>(work: () => T): T;
}

/** The turn did not come. */
export class TurnError extends Error {
  override name = "TurnError";
}

/** Who has the turn. */
interface Owner {
  readonly pid: number;
  /** Tells this process from a later one with the same number. Empty where the system does not say. */
  readonly startedAt: string;
  /** Machine and PID namespace: numbers of processes say something within it only. */
  readonly realm: string;
}

const PATIENCE_MS = 5_000;
const NAP_MS = 5;
// A turn lasts milliseconds. Of an owner that cannot be looked at nothing else is known than how long ago he began.
const UNKNOWN_OWNER_MS = 60_000;
const BREAKING_MS = 10_000;

/** @param file that is shared; what the turns need lies beside it */
export function createTurns(
  file: string,
  patienceMs: number = PATIENCE_MS,
): Turns {
  const lock = `${file}.turn`;
  const breaking = `${file}.breaking`;
  const own = `${lock}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const me: Owner = {
    pid: process.pid,
    startedAt: startTimeOf(process.pid),
    realm: REALM,
  };
  let swept = false;
  const nap = new Int32Array(new SharedArrayBuffer(4));

  return {
    take(work) {
      acquire();
      try {
        return work();
      } finally {
        rmSync(lock, { force: true });
      }
    },
  };

  function acquire(): void {
    const giveUpAt = Date.now() + patienceMs;
    sweepOnce();
    // Written before, so that the lock is never there without its owner's name.
    writeFileSync(own, JSON.stringify(me), { mode: 0o600 });
    try {
      while (!tryLink()) {
        if (isStale()) breakLock();
        else if (Date.now() > giveUpAt)
          throw new TurnError(`Another process keeps ${lock}.`);
        else Atomics.wait(nap, 0, 0, NAP_MS);
      }
    } finally {
      rmSync(own, { force: true });
    }
  }

  // What those left who were killed while they waited.
  function sweepOnce(): void {
    if (swept) return;
    swept = true;
    const folder = dirname(file);
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (path.startsWith(`${lock}.`) && isOlderThan(path, UNKNOWN_OWNER_MS))
        rmSync(path, { force: true });
    }
  }

  function tryLink(): boolean {
    try {
      linkSync(own, lock);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    }
  }

  function isStale(): boolean {
    const owner = readOwner(lock);
    if (!owner) return false;
    if (owner.realm !== REALM) return isOlderThan(lock, UNKNOWN_OWNER_MS);
    if (!isAlive(owner.pid)) return true;
    const startedAt = startTimeOf(owner.pid);
    return owner.startedAt !== "" && owner.startedAt !== startedAt;
  }

  // Of several who find the same dead owner one removes his lock, having looked again: another's would be removed else.
  function breakLock(): void {
    try {
      mkdirSync(breaking);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      // Its maker was killed within these lines.
      if (isOlderThan(breaking, BREAKING_MS)) removeFolder(breaking);
      Atomics.wait(nap, 0, 0, NAP_MS);
      return;
    }
    try {
      if (isStale()) unlinkSync(lock);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    } finally {
      removeFolder(breaking);
    }
  }
}

function readOwner(lock: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(lock, "utf8")) as Owner;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    // Nobody of ours writes such a thing; a power cut may leave it.
    return { pid: 0, startedAt: "", realm: "" };
  }
}

function isOlderThan(path: string, ms: number): boolean {
  try {
    // Linking does not change when the file was written, which was a moment before.
    return Date.now() - statSync(path).mtimeMs > ms;
  } catch {
    // It is gone.
    return false;
  }
}

// proc(5): the 22nd field of stat; the second one may hold spaces and brackets.
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

const codeOf = (error: unknown): string | undefined =>
  (error as NodeJS.ErrnoException).code;

function readNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

const REALM = `${hostname()} ${readNamespace()}`;
