// Debian's sshd with the very files of infra/sshd: only paths, ports, addresses and the account's name are replaced.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { SshKey } from "./openssh-client.ts";
import { freePort } from "./plain-sshd.ts";
import {
  descendants,
  endProcesses,
  hasEnded,
  listProcesses,
  type ProcessInfo,
} from "./process-table.ts";
import { startProgram, stop, type RunningProgram } from "./processes.ts";
import { endConnections, SSHD, startSshdDaemon } from "./sshd-daemon.ts";
import { createTestAccount, type TestAccount } from "./test-account.ts";

/** A running sshd in the shape of a real server, waiting for an edge behind it. */
export interface Sshd {
  /** Where it listens. */
  readonly host: string;
  readonly port: number;
  /** The account that all clients log in to. */
  readonly account: string;
  readonly uid: number;
  /** For the edge: where sshd's forced command looks for control sockets. */
  readonly controlDir: string;
  /** For the edge: the file that sshd's AuthorizedKeysCommand reads. */
  readonly keysFile: string;
  /** The host key as in known_hosts: type and base64. */
  readonly hostKey: string;
  /** The folder of the files made from infra/sshd. */
  readonly folder: string;
  /** Makes a key pair for a client; `stop` removes it. */
  createKey(): SshKey;
  /** All that sshd and the reaper have said. */
  readonly log: string;
  /** Resolves once sshd has said it; rejects with all that it said instead. */
  waitForLog(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Processes of open SSH connections, the daemon and the reaper left out. */
  sessionProcesses(): readonly number[];
  /** Ends the daemon and every connection at once, as `kill -9` of all its processes; the reaper stays. */
  kill9(): Promise<void>;
  /** Starts the daemon again on the same port. Connections that are open go on (KillMode=process of its unit). */
  restart(): Promise<void>;
  /** Ends all processes and removes account and folder. Idempotent. */
  stop(): Promise<void>;
}

/** What may differ from a real server. */
export interface SshdOptions {
  /** Run session-reaper beside it. Default: true, but never without root, where the account is not ours alone. */
  readonly reaper?: boolean;
  /** IPv4 address to listen on. Default: 127.0.0.1. */
  readonly address?: string;
}

const INFRA = new URL("../../infra/sshd/", import.meta.url);

/**
 * Starts sshd on a free port of loopback. As root it gets an account of its own, which `stop` removes; without root all runs
 * as the person who runs the tests. Whoever starts it registers its end: `afterAll(() => sshd.stop())`.
 */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const root = process.getuid?.() === 0;
  const host = options.address ?? "127.0.0.1";
  // sshd wants each folder above its programs in root's hands alone, which no folder for temporary files is.
  const folder = mkdtempSync(
    join(root ? "/var/lib" : tmpdir(), "expose-sshd-"),
  );
  let account: TestAccount | undefined;
  let daemon: RunningProgram | undefined;
  let reaper: RunningProgram | undefined;
  let said = "";
  const orphans = new Map<number, ProcessInfo>();

  try {
    account = root ? createTestAccount() : undefined;
    const { username, uid, gid } = account ?? userInfo();
    const port = await freePort();
    const files = installFiles({
      folder,
      host,
      port,
      account: username,
      gid,
      root,
    });
    await startDaemon();
    if (root && options.reaper !== false)
      reaper = startProgram(files.reaper, [], { uid, gid });
    return {
      host,
      port,
      account: username,
      uid,
      controlDir: files.controlDir,
      keysFile: join(files.controlDir, "keys"),
      hostKey: files.hostKey,
      folder,
      createKey: () => createKey(join(folder, "keys")),
      get log() {
        return said + (daemon?.stderr ?? "") + (reaper?.stderr ?? "");
      },
      waitForLog: (pattern) => daemon!.waitFor(pattern),
      sessionProcesses: () =>
        daemon?.child.pid
          ? descendants(daemon.child.pid).map(({ pid }) => pid)
          : [],
      kill9,
      async restart() {
        await endDaemon();
        await startDaemon();
      },
      stop: stopAll,
    };

    async function startDaemon(): Promise<void> {
      daemon = await startSshdDaemon(files.config);
    }
  } catch (error) {
    await stopAll();
    throw error;
  }

  async function endDaemon(): Promise<void> {
    if (!daemon) return;
    for (const child of descendants(daemon.child.pid!))
      orphans.set(child.pid, child);
    said += daemon.stderr;
    // Not stop(): the pipes stay open in the sessions that go on.
    const ended = hasEnded(daemon.child.pid!);
    daemon.kill("SIGTERM");
    await ended;
    daemon = undefined;
  }

  async function kill9(): Promise<void> {
    await endDaemon();
    await endProcesses([...orphans.values()]);
    orphans.clear();
  }

  async function stopAll(): Promise<void> {
    if (daemon) await endConnections(daemon);
    await kill9();
    if (reaper) await stop(reaper);
    // Forced commands whose connection ended a moment ago are nobody's children any more.
    await endProcesses(
      listProcesses().filter(({ command }) => command.includes(folder)),
    );
    account?.remove();
    account = undefined;
    rmSync(folder, { recursive: true, force: true });
  }
}

function createKey(parent: string): SshKey {
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const privateKeyFile = join(mkdtempSync(join(parent, "key-")), "id");
  generateKey(privateKeyFile);
  const publicKey = readFileSync(`${privateKeyFile}.pub`, "utf8").trim();
  return {
    privateKeyFile,
    privateKey: readFileSync(privateKeyFile, "utf8"),
    publicKey,
    blob: Buffer.from(publicKey.split(" ")[1] ?? "", "base64"),
  };
}

const generateKey = (file: string): void => {
  const options = ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file];
  execFileSync("ssh-keygen", options);
};

interface Installation {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly account: string;
  readonly gid: number;
  readonly root: boolean;
}

function installFiles(installation: Installation) {
  const { folder, gid, root } = installation;
  const etc = join(folder, "etc");
  const libexec = join(folder, "libexec");
  const controlDir = join(folder, "openssh");
  chmodSync(folder, 0o755);
  mkdirSync(join(etc, "sshd_config.d"), { recursive: true });
  mkdirSync(libexec);
  mkdirSync(controlDir);
  if (root) chownSync(controlDir, 0, gid);
  chmodSync(controlDir, 0o2710);
  // As root sshd wants its empty folder for privilege separation, which Debian makes at boot.
  if (root) mkdirSync("/run/sshd", { recursive: true });

  const names = ["authorized-keys", "control-session", "session-reaper"];
  for (const name of names) adapt(name, join(libexec, name), 0o755);
  adapt("sshd_config", join(etc, "sshd_config"), 0o644);
  const hostKeyFile = join(etc, "ssh_host_ed25519_key");
  generateKey(hostKeyFile);
  const penalties = "sshd_config.d/penalties.conf";
  if (knowsPenalties(hostKeyFile))
    adapt(penalties, join(etc, penalties), 0o644);
  const hostKey = readFileSync(`${hostKeyFile}.pub`, "utf8");

  function adapt(name: string, target: string, mode: number): void {
    const text = readFileSync(new URL(name, INFRA), "utf8");
    writeFileSync(target, adaptText(text, installation), { mode });
  }

  return {
    config: join(etc, "sshd_config"),
    reaper: join(libexec, "session-reaper"),
    controlDir,
    hostKey: hostKey.split(" ").slice(0, 2).join(" "),
  };
}

/** All that differs from a real server. Each of these must be found where it is looked for. */
function adaptText(text: string, installation: Installation): string {
  const { folder, host, port, account, root } = installation;
  const command = `AuthorizedKeysCommand ${root ? "" : "/bin/sh "}${folder}/libexec/`;
  return (
    text
      .replace(/^Port 2222$/m, `Port ${port}`)
      .replace(/^ListenAddress 0\.0\.0\.0$/m, `ListenAddress ${host}`)
      .replace(/^ListenAddress ::$/m, "ListenAddress ::1")
      .replace(
        /^(AllowUsers|AuthorizedKeysCommandUser) tunnel$/gm,
        `$1 ${account}`,
      )
      // Without root the program cannot be root's; sshd looks at the first word alone.
      .replace(/^AuthorizedKeysCommand \/usr\/libexec\/expose\//m, command)
      .replaceAll("/usr/libexec/expose/", `${folder}/libexec/`)
      .replaceAll("/var/lib/expose/openssh", `${folder}/openssh`)
      .replaceAll("/etc/expose/", `${folder}/etc/`)
      .replaceAll("/run/expose-sshd.pid", `${folder}/sshd.pid`)
  );
}

function knowsPenalties(hostKeyFile: string): boolean {
  const options = ["-o", "PerSourcePenalties=no", "-h", hostKeyFile];
  try {
    execFileSync(SSHD, ["-t", "-f", "/dev/null", ...options], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}
