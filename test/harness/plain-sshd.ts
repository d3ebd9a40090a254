// A plain Debian sshd without an edge, from a temporary folder: what `--bare`, `expose local` and `expose exec` talk to.
import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { startProgram, stop, type RunningProgram } from "./processes.ts";

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

const SSHD = "/usr/sbin/sshd";
const HOST = "127.0.0.2";

/** Starts an sshd that ends with the test. @param lines of sshd_config, in front of the defaults of this harness */
export async function startPlainSshd(
  lines: readonly string[] = [],
): Promise<PlainSshd> {
  const folder = mkdtempSync(join(tmpdir(), "expose-sshd-"));
  const home = join(folder, "home");
  mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  makeKey(join(folder, "host_key"));
  makeKey(join(home, ".ssh/id_ed25519"));
  // As root sshd wants its empty folder for privilege separation, which Debian makes at boot.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const port = await freePort();
  const { username } = userInfo();
  const config = join(folder, "sshd_config");
  writeFileSync(
    config,
    [
      ...lines,
      `Port ${port}`,
      `ListenAddress ${HOST}`,
      `HostKey ${join(folder, "host_key")}`,
      `PidFile ${join(folder, "sshd.pid")}`,
      `AuthorizedKeysFile ${join(home, ".ssh/id_ed25519.pub")}`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin yes",
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

  let program = await start(config);
  onTestFinished(() => kill());

  async function kill(): Promise<void> {
    // Each connection has processes in a session of its own, which would outlive the daemon.
    for (const pid of descendants(program.child.pid!)) kill9(pid);
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
      program = await start(config);
    },
  };
}

/** A port that was free a moment ago on every loopback address. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function start(config: string): Promise<RunningProgram> {
  const program = startProgram(SSHD, ["-D", "-e", "-f", config]);
  await program.waitFor(/Server listening on/);
  return program;
}

function descendants(pid: number): number[] {
  const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], {
    encoding: "utf8",
  });
  const pids = stdout.trim().split(/\s+/).filter(Boolean).map(Number);
  return [...pids, ...pids.flatMap(descendants)];
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
