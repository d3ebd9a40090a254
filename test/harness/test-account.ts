// A system account that exists for one test: what the tunnels of an sshd log in to.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A throw-away account. */
export interface TestAccount {
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
  /** Removes it; its processes must have ended. */
  remove(): void;
}

const PREFIX = "expose-test-";
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
  return {
    username,
    uid: Number(entry[2]),
    gid: Number(entry[3]),
    remove: () => remove(username),
  };
}

// Of runs that were killed.
function removeLeftovers(): void {
  for (const [name = ""] of accounts()) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-\\d+$`).exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    try {
      remove(name);
    } catch {
      // Another run removes it at the same moment, or processes of it are left.
    }
  }
}

const remove = (username: string): void => {
  execFileSync("userdel", [username], { stdio: "pipe" });
};

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
