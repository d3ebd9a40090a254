// A plain Debian sshd without an edge, from a temporary folder: what `--bare`, `expose local` and `expose exec` talk to.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { createTestAccount } from "./test-account.ts";
import { stop, type RunningProgram } from "./processes.ts";
import { endConnections, startSshdDaemon } from "./sshd-daemon.ts";

/** A running sshd, and a home folder whose key it accepts. */
export interface PlainSshd {
  /** `user@127.0.0.2:port`. */
  readonly server: string;
  /** Where it listens: a loopback address that `127.0.0.1` binds do not cover. */
  readonly host: string;
  readonly port: number;
  /** HOME for the client: `.ssh/id_ed25519`, and the host key in `.ssh/known_hosts`. */
  readonly home: string;
  /** Environment for the client: this home, no agent, nothing of the person who runs the tests. */
  readonly env: Record<string, string>;
  readonly program: RunningProgram;
  /** Ends the daemon and every connection, as `kill -9` of all its processes. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
}

const HOST = "127.0.0.2";

/** Starts an sshd that ends with the test. @param lines of sshd_config, in front of the defaults of this harness */
export async function startPlainSshd(
  lines: readonly string[] = [],
): Promise<PlainSshd> {
  const folder = mkdtempSync(join(tmpdir(), "expose-sshd-"));
  // sshd reads the authorized keys with the rights of the account.
  chmodSync(folder, 0o755);
  const home = join(folder, "home");
  mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  makeKey(join(folder, "host_key"));
  makeKey(join(home, ".ssh/id_ed25519"));
  copyFileSync(
    join(home, ".ssh/id_ed25519.pub"),
    join(folder, "authorized_keys"),
  );
  // As root sshd wants its empty folder for privilege separation, which Debian makes at boot.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const port = await freePort();
  // A login as root is done by one process less, which passes no signals on.
  const account = process.getuid?.() === 0 ? createTestAccount() : undefined;
  const { username } = account ?? userInfo();
  const config = join(folder, "sshd_config");
  writeFileSync(
    config,
    [
      ...lines,
      `Port ${port}`,
      `ListenAddress ${HOST}`,
      `HostKey ${join(folder, "host_key")}`,
      `PidFile ${join(folder, "sshd.pid")}`,
      `AuthorizedKeysFile ${join(folder, "authorized_keys")}`,
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "LogLevel VERBOSE",
      "",
    ].join("\n"),
  );
  const hostKey = readFileSync(join(folder, "host_key.pub"), "utf8");
  writeFileSync(
    join(home, ".ssh/known_hosts"),
    `[${HOST}]:${port} ${hostKey.split(" ").slice(0, 2).join(" ")}\n`,
  );

  let program = await startSshdDaemon(config);
  onTestFinished(async () => {
    await endConnections(program);
    await kill();
    // Remote commands outlive a connection that was cut.
    if (account) await endAll(() => listPids("-u", String(account.uid)));
    account?.remove();
  });

  async function kill(): Promise<void> {
    // Each connection has processes in a session of its own, which would outlive the daemon.
    const { pid } = program.child;
    // A client that is cut off comes back at once. Taken in now, it would outlive the daemon, and hold its stderr open.
    program.kill("SIGSTOP");
    await endAll(() => descendants(pid!));
    await stop(program);
  }

  return {
    server: `${username}@${HOST}:${port}`,
    host: HOST,
    port,
    home,
    env: {
      HOME: home,
      PATH: process.env["PATH"] ?? "",
      USER: username,
      LANG: "C.UTF-8",
    },
    get program() {
      return program;
    },
    kill,
    async restart() {
      await kill();
      program = await startSshdDaemon(config);
    },
  };
}

// Below the range that systems give to outgoing connections (Linux begins at 32768): with ten thousand of those about, a
// port of that range that was free a moment ago is somebody's the next.
const FIRST_PORT = 12_000;
const PORTS = 20_000;

/** A port that was free a moment ago on every loopback address, and that no outgoing connection takes. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "0.0.0.0", () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

// Kills what `list` gives until it gives nothing: each of them may have started another one in the meantime.
async function endAll(list: () => number[]): Promise<void> {
  for (let pids = list(); pids.length > 0; pids = list()) {
    for (const pid of pids) kill9(pid);
    await sleep(10);
  }
}

const descendants = (pid: number): number[] =>
  listPids("--ppid", String(pid)).flatMap((child) => [
    child,
    ...descendants(child),
  ]);

// Zombies are left out: they have ended, and somebody else has to notice.
function listPids(...selection: string[]): number[] {
  const { stdout } = spawnSync("ps", ["-o", "pid=,state=", ...selection], {
    encoding: "utf8",
  });
  return [...stdout.matchAll(/^ *(\d+) +[^Z]/gm)].map((match) =>
    Number(match[1]),
  );
}

function kill9(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in the meantime.
  }
}

function makeKey(path: string): void {
  execFileSync("ssh-keygen", [
    "-q",
    "-t",
    "ed25519",
    "-N",
    "",
    "-C",
    "test",
    "-f",
    path,
  ]);
}
