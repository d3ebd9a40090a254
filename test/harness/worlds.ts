// The two worlds in which every end-to-end test runs: an edge behind Debian's sshd, and one with the embedded server.
// The edge is a child process of the built package, with a configuration file of its own, on free ports of loopback.
import { execFileSync, type SpawnOptions } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "vitest";
import {
  expose,
  openSession,
  type Session,
  type SessionOptions,
  type Tunnel,
  type TunnelOptions,
} from "@expose/client";
import { freePort } from "./plain-sshd.ts";
import { startProgram, stop, type RunningProgram } from "./processes.ts";
import { startSshd, type Sshd } from "./sshd.ts";

/** How sessions reach the edge of a world. */
export type IngressKind = "openssh" | "embedded";

/** An edge, the way to it, and who may use it. */
export interface World {
  readonly ingress: IngressKind;
  /** `user@127.0.0.1:port`. */
  readonly server: string;
  readonly httpPort: number;
  readonly adminPort: number;
  readonly folder: string;
  /** Undefined in the embedded world. */
  readonly sshd: Sshd | undefined;
  /** The edge's process; replaced by restartEdge(). */
  readonly edge: RunningProgram;
  /** Private key file of an identity; those that are new are added to the users file, with options in front if given. */
  identity(id: string, options?: string): string;
  /** The same, resolved when the running edge lets the new identity in. */
  addIdentity(id: string, options?: string): Promise<string>;
  /** Takes an identity's keys out of the users file, as an operator would. */
  removeIdentity(id: string): void;
  /** What a client of this world needs to connect as `id`. */
  session(id?: string): SessionOptions;
  /** Opens a tunnel as `alice` unless told otherwise. Whoever opens it closes it. */
  expose(options: TunnelOptions & SessionOptions, id?: string): Promise<Tunnel>;
  openSession(options?: SessionOptions, id?: string): Promise<Session>;
  urlOf(name: string): string;
  /** Records of the access log so far. */
  accessLog(): readonly Record<string, unknown>[];
  metrics(): Promise<string>;
  /** Starts the edge again on the same ports; `kill9` is what it gets first. */
  restartEdge(signal?: NodeJS.Signals): Promise<void>;
  /** Ends everything and removes its files. */
  stop(): Promise<void>;
}

/** Runs the same tests in both worlds; the title says which. */
export function describeIngress(
  title: string,
  tests: (ingress: IngressKind) => void,
): void {
  for (const ingress of ["embedded", "openssh"] as const)
    describe(`${title} (${ingress})`, () => {
      tests(ingress);
    });
}

/** What may differ from one world to the other. */
export interface WorldOptions {
  /** Lines of YAML that come on top of a world's own configuration; top-level keys that it has not. */
  readonly config?: string;
  /** Worker processes of its edge. Default: EXPOSE_TEST_WORKERS, or 1. */
  readonly workers?: number;
}

const EDGE_MAIN = fileURLToPath(
  new URL("../../packages/edge/dist/main.js", import.meta.url),
);

/** Starts a world. Whoever starts it registers its end: `afterAll(() => world.stop())`. */
export async function startWorld(
  ingress: IngressKind,
  options: WorldOptions = {},
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "expose-world-"));
  const sshd = ingress === "openssh" ? await startSshd() : undefined;
  const [httpPort, adminPort, sshPort] = [
    await freePort(),
    await freePort(),
    sshd?.port ?? (await freePort()),
  ];
  const usersFile = join(folder, "users");
  const configFile = join(folder, "edge.yml");
  const accessLogFile = join(folder, "access.log");
  writeFileSync(usersFile, "", { mode: 0o600 });
  writeFileSync(
    configFile,
    `domain: localhost
listen: 127.0.0.1:${httpPort}
users: ${usersFile}
state-dir: ${join(folder, "state")}
ingress:
  embedded: { enabled: ${!sshd}, listen: "127.0.0.1:${sshPort}" }
  openssh: { enabled: ${!!sshd}${sshd ? `, control-dir: ${sshd.controlDir}, keys-file: ${sshd.keysFile}` : ""} }
access-log: { file: ${accessLogFile} }
admin: { listen: "127.0.0.1:${adminPort}" }
log: { level: debug }
workers: ${options.workers ?? process.env["EXPOSE_TEST_WORKERS"] ?? 1}
${options.config ?? ""}
`,
  );
  const keys = new Map<string, string>();

  function startEdge(): Promise<RunningProgram> {
    return startReady(
      process.execPath,
      [EDGE_MAIN, "serve", "--config", configFile],
      // What it leaves behind can be seen, and goes with the world.
      { env: { ...process.env, TMPDIR: folder } },
    );
  }

  function identity(id: string, keyOptions = ""): string {
    const known = keys.get(id);
    if (known !== undefined) return known;
    mkdirSync(join(folder, "keys"), { recursive: true });
    const file = join(folder, "keys", id);
    execFileSync("ssh-keygen", [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-C",
      id,
      "-f",
      file,
    ]);
    keys.set(id, file);
    const line = `${keyOptions ? `${keyOptions} ` : ""}${readFileSync(`${file}.pub`, "utf8")}`;
    writeFileSync(usersFile, readFileSync(usersFile, "utf8") + line);
    return file;
  }

  const session = (id = "alice"): SessionOptions => ({
    server: `${sshd?.account ?? "tunnel"}@127.0.0.1:${sshPort}`,
    identity: identity(id),
    knownHosts: [join(folder, "known_hosts")],
    sshConfig: "none",
    acceptNewHostKey: true,
  });

  // Known before the edge starts to serve, so that no test waits for the file to be read again.
  identity("alice");
  identity("bob");
  let edge = await startEdge();

  return {
    ingress,
    server: session().server!,
    httpPort,
    adminPort,
    folder,
    sshd,
    get edge() {
      return edge;
    },
    identity,
    async addIdentity(id, keyOptions) {
      const file = identity(id, keyOptions);
      await edge.waitFor(
        new RegExp(`users file loaded .*added="?[^"\\n]*\\b${id}\\b`),
      );
      if (sshd) await untilFileHolds(sshd.keysFile, readPublicKey(file));
      return file;
    },
    removeIdentity(id) {
      const rest = readFileSync(usersFile, "utf8")
        .split("\n")
        .filter((line) => !line.endsWith(` ${id}`));
      writeFileSync(usersFile, rest.join("\n"));
    },
    session,
    expose: (tunnel, id) => expose({ ...session(id), ...tunnel }),
    openSession: (more, id) => openSession({ ...session(id), ...more }),
    urlOf: (name) => `http://${name}.localhost:${httpPort}`,
    accessLog: () =>
      readFileSync(accessLogFile, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async metrics() {
      const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
      return response.text();
    },
    async restartEdge(signal = "SIGKILL") {
      await stop(edge, signal);
      edge = await startEdge();
    },
    async stop() {
      await stop(edge);
      await sshd?.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startReady(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<RunningProgram> {
  const program = startProgram(command, args, options);
  try {
    await program.waitFor(/\bready\b/);
  } catch (error) {
    await stop(program);
    throw error;
  }
  return program;
}

const readPublicKey = (file: string): string =>
  readFileSync(`${file}.pub`, "utf8").split(" ")[1]!;

const POLL_MS = 10;
const PATIENCE_MS = 10_000;

// sshd reads its keys from a file that the edge writes after it has taken a change over.
async function untilFileHolds(file: string, text: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!readFileSync(file, "utf8").includes(text)) {
    if (performance.now() > deadline)
      throw new Error(`${file} does not hold ${text}.`);
    await sleep(POLL_MS);
  }
}
