// The product: built edge and client as child processes, through sshd (`openssh`) and with its own SSH server (`embedded`).
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SessionOptions } from "@expose/client";
import { freePort } from "../../harness/plain-sshd.ts";
import { stop, type RunningProgram } from "../../harness/processes.ts";
import { startSshd, type Sshd } from "../../harness/sshd.ts";
import { processTree } from "../measure/processes.ts";
import type { BenchWorld, Link, Server, Setup, Target } from "../model.ts";
import { API_CLIENT, CLI, CODE_CACHE_ENV, EDGE, HIDE_ADDON } from "../paths.ts";
import type { Place } from "../place.ts";
import { missingPrograms } from "../programs.ts";
import { tempPath } from "../temp-folder.ts";
import type { ApiClientTask } from "./api-client.ts";
import { createKey, sshOptions, type BenchKey } from "./ssh-key.ts";

/** What differs from how it is shipped. */
export interface OursOptions {
  readonly ingress: "openssh" | "embedded";
  /** `ssh` is a plain OpenSSH client, which the embedded ingress takes too. */
  readonly client: "ours" | "ssh";
  /** As shipped: JSON, one record a request. */
  readonly accessLog: boolean;
  /** As shipped: the client is told of each request. */
  readonly watch: boolean;
  /** As shipped: the inspector keeps what passes. */
  readonly inspect: boolean;
  /** With its page open in a browser. */
  readonly page?: boolean;
  /** ssh2's native addon. As shipped: used where it could be built. */
  readonly addon: boolean;
  /** Worker processes of the edge. As shipped: 1. */
  readonly workers?: number;
}

const IDENTITY = "bench";

/** Makes a set-up of the product. */
export const ours = (
  name: string,
  about: string,
  options: OursOptions,
): Setup => ({
  name,
  about,
  missing: () =>
    missingPrograms(
      "ssh-keygen",
      ...(options.ingress === "openssh" || options.client === "ssh"
        ? ["ssh", "sshd"]
        : []),
      ...(options.page ? ["chromium"] : []),
    ),
  open: (world) => openEdge(world, name, options),
});

interface RunningEdge {
  readonly world: BenchWorld;
  readonly name: string;
  readonly options: OursOptions;
  readonly key: BenchKey;
  readonly sshAddress: string;
  readonly sshPort: number;
  readonly account: string;
  readonly httpPort: number;
}

async function openEdge(
  world: BenchWorld,
  name: string,
  options: OursOptions,
): Promise<Server> {
  const sshd =
    options.ingress === "openssh"
      ? await startSshd({ reaper: false, address: world.edge.address })
      : undefined;
  const [httpPort, sshPort] = [
    await freePort(),
    sshd?.port ?? (await freePort()),
  ];
  const key = createKey(IDENTITY);
  const configFile = writeConfig({
    world,
    options,
    sshd,
    httpPort,
    sshPort,
    key,
  });
  const startEdge = (): Promise<RunningProgram> =>
    startOurs(world, world.edge, `${name}-edge`, options, [
      ...[EDGE, "serve", "--config", configFile],
    ]);
  let edge = await startEdge();
  await edge.waitFor(/\bready\b/);
  const running: RunningEdge = {
    ...{ world, name, options, key, httpPort, sshPort },
    sshAddress: world.edge.address,
    account: sshd?.account ?? "tunnel",
  };

  return {
    roles: {
      edge: () => [edge.child.pid!],
      ...((options.workers ?? 1) > 1
        ? { workers: () => childrenOf(edge.child.pid!) }
        : {}),
      ...(sshd ? { sshd: () => sshd.sessionProcesses() } : {}),
    },
    connect: (port, tunnel) =>
      options.client === "ssh"
        ? startSshClient(running, port, tunnel)
        : startClient(running, port, tunnel),
    ...(options.client === "ours"
      ? {
          // An inspector for each of a hundred sessions would be what is measured.
          connectMany: (port: number, count: number, prefix: string) =>
            startApiClient(
              { ...running, options: { ...options, inspect: false } },
              port,
              Array.from({ length: count }, (_, n) => `${prefix}-${n}`),
            ),
        }
      : {}),
    async crash() {
      if (sshd) {
        await sshd.kill9();
        await sshd.restart();
      } else {
        await stop(edge);
        edge = await startEdge();
      }
    },
    async close() {
      // SIGINT first: a profile is written when the program ends by itself.
      await stop(edge, world.profileDir ? "SIGINT" : "SIGKILL");
      await sshd?.stop();
    },
  };
}

const childrenOf = (pid: number): number[] =>
  processTree([pid]).filter((child) => child !== pid);

function writeConfig(parts: {
  world: BenchWorld;
  options: OursOptions;
  sshd: Sshd | undefined;
  httpPort: number;
  sshPort: number;
  key: BenchKey;
}): string {
  const { world, options, sshd, httpPort, sshPort, key } = parts;
  const folder = tempPath("edge");
  mkdirSync(folder);
  writeFileSync(join(folder, "users"), `${key.publicKey}\n`, { mode: 0o600 });
  const file = join(folder, "edge.yml");
  writeFileSync(
    file,
    `domain: localhost
listen: 127.0.0.1:${httpPort}
users: ${folder}/users
state-dir: ${folder}/state
ingress:
  embedded: { enabled: ${!sshd}, listen: "${world.edge.address}:${sshPort}" }
  openssh: { enabled: ${!!sshd}${sshd ? `, control-dir: ${sshd.controlDir}, keys-file: ${sshd.keysFile}` : ""} }
access-log: { format: ${options.accessLog ? "json" : "off"}, file: ${folder}/access.log }
admin: { enabled: false }
workers: ${options.workers ?? 1}
limits: { tunnels-per-identity: 1000, sessions-per-identity: 1000 }
`,
  );
  return file;
}

/** The command that people type, or the API where it has no flag. */
const startClient = (
  edge: RunningEdge,
  port: number,
  tunnel: string,
): Promise<Link> =>
  edge.options.watch
    ? startCli(edge, port, tunnel)
    : startApiClient(edge, port, [tunnel]);

async function startCli(
  edge: RunningEdge,
  port: number,
  tunnel: string,
): Promise<Link> {
  const { world, options } = edge;
  const home = tempPath("home");
  mkdirSync(home);
  const client = await startOurs(
    world,
    world.laptop,
    `${edge.name}-client`,
    options,
    [
      ...[CLI, String(port), "--subdomain", tunnel, "--quiet"],
      ...["--server", serverOf(edge), "--identity", edge.key.file],
      "--accept-new-host-key",
      ...(options.inspect ? ["--inspect-port", "0"] : ["--no-inspect"]),
    ],
    { HOME: home, ...CODE_CACHE_ENV },
  );
  let browser: RunningProgram | undefined;
  try {
    if (options.page) browser = await openPage(world, home);
  } catch (error) {
    await stop(client);
    throw error;
  }
  return {
    target: targetOf(edge, tunnel),
    pids: () => [client.child.pid!],
    output: () => client.stdout + client.stderr,
    async close() {
      if (browser) await stop(browser);
      await stop(client, world.profileDir ? "SIGINT" : "SIGKILL");
    },
  };
}

// Opens the inspector's page in a browser, which goes on drawing what comes.
async function openPage(
  world: BenchWorld,
  home: string,
): Promise<RunningProgram> {
  const folder = join(home, ".local/state/expose/run");
  let file: string | undefined;
  for (let tries = 0; file === undefined && tries < 200; tries++) {
    await sleep(50);
    file = existsSync(folder)
      ? readdirSync(folder).find((name) => /^inspector-.*\.json$/.test(name))
      : undefined;
  }
  if (file === undefined) throw new Error("The inspector did not start.");
  const { url } = JSON.parse(readFileSync(join(folder, file), "utf8")) as {
    url: string;
  };
  const browser = world.laptop.start("chromium", [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"],
    ...[`--user-data-dir=${tempPath("browser")}`, "--enable-logging=stderr"],
    ...["--remote-debugging-port=0", url],
  ]);
  await browser.waitFor(/DevTools listening/, 30_000);
  return browser;
}

async function startApiClient(
  edge: RunningEdge,
  port: number,
  names: readonly string[],
): Promise<Link> {
  const { world, options } = edge;
  const session: SessionOptions = {
    server: serverOf(edge),
    identity: edge.key.file,
    knownHosts: [tempPath("known_hosts")],
    sshConfig: "none",
    acceptNewHostKey: true,
    watchRequests: options.watch,
    inspect: options.inspect && { port: 0, stateFolder: tempPath("state") },
  };
  const task: ApiClientTask = { session, port, names };
  const client = await startOurs(
    world,
    world.laptop,
    `${edge.name}-client`,
    options,
    [API_CLIENT, JSON.stringify(task)],
  );
  return {
    target: targetOf(edge, names[0]!),
    targets: names.map((name) => targetOf(edge, name)),
    pids: () => [client.child.pid!],
    output: () => client.stdout + client.stderr,
    close: () => stop(client),
  };
}

async function startSshClient(
  edge: RunningEdge,
  port: number,
  tunnel: string,
): Promise<Link> {
  const ssh = edge.world.laptop.start("ssh", [
    ...sshOptions(edge.key, edge.sshPort),
    ...["-N", "-R", `${tunnel}:80:127.0.0.1:${port}`],
    `${edge.account}@${edge.sshAddress}`,
  ]);
  return {
    target: targetOf(edge, tunnel),
    pids: () => [ssh.child.pid!],
    output: () => ssh.stderr,
    close: () => stop(ssh),
  };
}

const serverOf = (edge: RunningEdge): string =>
  `${edge.account}@${edge.sshAddress}:${edge.sshPort}`;

const targetOf = (edge: RunningEdge, tunnel: string): Target => ({
  address: "127.0.0.1",
  port: edge.httpPort,
  host: `${tunnel}.localhost:${edge.httpPort}`,
});

/** Starts one of our programs with Node. */
async function startOurs(
  world: BenchWorld,
  place: Place,
  label: string,
  options: OursOptions,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<RunningProgram> {
  return place.start(
    process.execPath,
    [
      ...(options.addon ? [] : ["--require", HIDE_ADDON]),
      ...(world.profileDir
        ? [
            "--cpu-prof",
            "--cpu-prof-dir",
            world.profileDir,
            "--cpu-prof-name",
            `${label}.cpuprofile`,
          ]
        : []),
      ...args,
    ],
    {
      env: {
        PATH: process.env["PATH"],
        LANG: "C.UTF-8",
        ...env,
      },
    },
  );
}
