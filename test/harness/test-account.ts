// A system account that exists for one test: what the tunnels of an sshd log in to.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { kill, listProcesses } from "./process-table.ts";

/** A throw-away account. */
export interface TestAccount {
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
  /** Ends its processes and removes it. */
  remove(): void;
}

const PREFIX = "expose-test-";
// userdel wants an account without processes, and those that were killed take a moment.
const MAX_WAIT_MS = 2_000;
const POLL_MS = 10;
let count = 0;

/** Makes an account as docs/vps.md does, under a name that says which process made it. Root only. */
export function createTestAccount(): TestAccount {
  removeLeftovers();
  const username = `${PREFIX}${process.pid}-${++count}`;
  execFileSync("useradd", [
    ...["--system", "--user-group", "--no-create-home"],
    ...["--home-dir", "/", "--shell", "/bin/sh"],
    // No password matches "*", and other than "!" it does not lock the account, which sshd would refuse.
    ...["--password", "*"],
    username,
  ]);
  const entry = accounts().find(([name]) => name === username)!;
  const uid = Number(entry[2]);
  return {
    ...{ username, uid, gid: Number(entry[3]) },
    remove: () => remove(username, uid),
  };
}

// Of runs that were killed.
function removeLeftovers(): void {
  for (const [name = "", , uid] of accounts()) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-\\d+$`).exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    try {
      remove(name, Number(uid));
    } catch {
      // Another run removes it at the same moment.
    }
  }
}

function remove(username: string, uid: number): void {
  for (let wait = 0; wait < MAX_WAIT_MS; wait += POLL_MS) {
    const left = listProcesses().filter((candidate) => candidate.uid === uid);
    if (left.length === 0) break;
    for (const { pid } of left) kill(pid);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
  execFileSync("userdel", [username], { stdio: "pipe" });
}

const accounts = (): string[][] =>
  readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
