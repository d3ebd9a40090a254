// Tunnels of others. Each runs as its makers describe it, on loopback, where its programs are installed.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../harness/plain-sshd.ts";
import { stop, type RunningProgram } from "../../harness/processes.ts";
import type { BenchWorld, Setup } from "../model.ts";
import { CACHE } from "../paths.ts";
import { findProgram, missingPrograms } from "../programs.ts";
import { tempPath } from "../temp-folder.ts";
import { createKey, sshOptions } from "./ssh-key.ts";

/** What the programs of a peer are told. */
interface Ports {
  readonly world: BenchWorld;
  /** Where visitors go. */
  readonly public: number;
  /** Where the client goes. */
  readonly tunnel: number;
}

interface Peer {
  readonly name: string;
  readonly about: string;
  missing(): string | undefined;
  server(ports: Ports): RunningProgram;
  client(ports: Ports, localPort: number, name: string): RunningProgram;
  /** Host header of a tunnel. */
  host(ports: Ports, name: string): string;
}

const program = (name: string): string => findProgram(name) ?? name;

// Neither has a command for its server on npm; see docs/performance.md for how they get there.
const LOCALTUNNEL_SERVER = join(CACHE, "peers/localtunnel-server.cjs");
const LOCALTUNNEL_CLIENT = join(
  CACHE,
  "peers/node_modules/localtunnel/bin/lt.js",
);

const definitions: readonly Peer[] = [
  {
    name: "localtunnel",
    about: "localtunnel, server and client",
    missing: () =>
      existsSync(LOCALTUNNEL_SERVER) && existsSync(LOCALTUNNEL_CLIENT)
        ? undefined
        : "not in .cache/bench/peers (docs/performance.md says how)",
    server: ({ world, ...ports }) =>
      world.edge.start(process.execPath, [
        ...[LOCALTUNNEL_SERVER, "--port", String(ports.public)],
        ...["--address", world.edge.address, "--domain", "localhost"],
      ]),
    client: ({ world, ...ports }, localPort, name) =>
      world.laptop.start(process.execPath, [
        ...[LOCALTUNNEL_CLIENT, "--port", String(localPort)],
        ...["--host", `http://${world.edge.address}:${ports.public}`],
        ...["--subdomain", name, "--local-host", "127.0.0.1"],
      ]),
    host: (_, name) => `${name}.localhost`,
  },
  {
    name: "sish",
    about: "sish, with a plain OpenSSH client",
    missing: () => missingPrograms("sish", "ssh", "ssh-keygen"),
    server: ({ world, ...ports }) => {
      const folder = tempPath("sish");
      for (const part of ["keys", "pubkeys"])
        mkdirSync(join(folder, part), { recursive: true });
      return world.edge.start(program("sish"), [
        `--ssh-address=${world.edge.address}:${ports.tunnel}`,
        `--http-address=${world.edge.address}:${ports.public}`,
        `--private-keys-directory=${folder}/keys`,
        `--authentication-keys-directory=${folder}/pubkeys`,
        ...["--domain=localhost", "--authentication=false"],
        ...["--bind-random-subdomains=false", "--log-to-stdout=false"],
        // Pages of its own, which it wants to find in the working directory.
        "--load-templates=false",
      ]);
    },
    client: ({ world, ...ports }, localPort, name) =>
      world.laptop.start("ssh", [
        ...sshOptions(createKey("bench"), ports.tunnel),
        // One a second: the server may not listen yet.
        ...["-o", "ConnectionAttempts=20"],
        // With a session, as sish describes it: it waits two seconds for one.
        ...["-T", "-R", `${name}:80:127.0.0.1:${localPort}`],
        world.edge.address,
      ]),
    host: (_, name) => `${name}.localhost`,
  },
  {
    name: "frp",
    about: "frp, an HTTP proxy through frps",
    missing: () => missingPrograms("frps", "frpc"),
    server: ({ world, ...ports }) =>
      world.edge.start(program("frps"), [
        "-c",
        configFile("frps.toml", [
          `bindAddr = "${world.edge.address}"`,
          `bindPort = ${ports.tunnel}`,
          `vhostHTTPPort = ${ports.public}`,
          `log.level = "error"`,
        ]),
      ]),
    client: ({ world, ...ports }, localPort, name) =>
      world.laptop.start(program("frpc"), [
        "-c",
        configFile("frpc.toml", [
          `serverAddr = "${world.edge.address}"`,
          `serverPort = ${ports.tunnel}`,
          // The server may not listen yet when the client starts.
          "loginFailExit = false",
          `log.level = "error"`,
          "[[proxies]]",
          `name = "${name}"`,
          `type = "http"`,
          `localIP = "127.0.0.1"`,
          `localPort = ${localPort}`,
          `customDomains = ["${name}.localhost"]`,
        ]),
      ]),
    host: (_, name) => `${name}.localhost`,
  },
  {
    name: "bore",
    about: "bore, a TCP tunnel",
    missing: () => missingPrograms("bore"),
    // Its control port is 7835, always.
    server: ({ world }) =>
      world.edge.start(program("bore"), [
        ...["server", "--min-port", "1024", "--bind-addr", world.edge.address],
      ]),
    client: ({ world, ...ports }, localPort) =>
      world.laptop.start(program("bore"), [
        ...["local", String(localPort), "--local-host", "127.0.0.1"],
        ...["--to", world.edge.address, "--port", String(ports.public)],
      ]),
    host: () => "localhost",
  },
  {
    name: "chisel",
    about: "chisel, a reverse TCP tunnel over a WebSocket",
    missing: () => missingPrograms("chisel"),
    server: ({ world, ...ports }) =>
      world.edge.start(program("chisel"), [
        ...["server", "--reverse", "--host", world.edge.address],
        ...["--port", String(ports.tunnel)],
      ]),
    client: ({ world, ...ports }, localPort) =>
      world.laptop.start(program("chisel"), [
        ...["client", `http://${world.edge.address}:${ports.tunnel}`],
        `R:${world.edge.address}:${ports.public}:127.0.0.1:${localPort}`,
      ]),
    host: () => "localhost",
  },
];

function configFile(name: string, lines: readonly string[]): string {
  const file = tempPath(name);
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

const toSetup = (peer: Peer): Setup => ({
  name: peer.name,
  about: peer.about,
  missing: () => peer.missing(),
  async open(world) {
    const ports: Ports = {
      world,
      public: await freePort(),
      tunnel: await freePort(),
    };
    const server = peer.server(ports);
    return {
      roles: { edge: () => [server.child.pid!] },
      async connect(localPort, name) {
        const client = peer.client(ports, localPort, name);
        return {
          target: {
            address: world.edge.address,
            port: ports.public,
            host: peer.host(ports, name),
          },
          pids: () => [client.child.pid!],
          output: () =>
            [server, client].map((one) => one.stdout + one.stderr).join("\n"),
          close: () => stop(client),
        };
      },
      close: () => stop(server),
    };
  },
});

/** See the file's head. */
export const peers: readonly Setup[] = [
  ...definitions.map(toSetup),
  {
    name: "portr",
    about: "portr",
    // Its server wants a PostgreSQL database and a team that is made in its web interface.
    missing: () => "cannot be started by a program alone",
    open: () => Promise.reject(new Error("cannot be started")),
  },
];
