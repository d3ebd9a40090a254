// Real parts for the tests of ssh/: a folder, keys, agents, servers and relays, all gone when the sandbox is.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import {
  createServer,
  connect,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import {
  startProgram,
  stop,
  type RunningProgram,
} from "../../../../../test/harness/processes.ts";
import { resolveTarget } from "../resolve-target.ts";
import type { SshTarget } from "../target.ts";
import type { SessionOptions } from "../../options.ts";

/** A key pair on disk. */
export interface TestKey {
  readonly path: string;
  /** The line of its `.pub` file: type, base64, comment. */
  readonly line: string;
  readonly type: string;
  readonly blob: Buffer;
  /** As ssh-keygen itself gives it. */
  readonly fingerprint: string;
}

/** An sshd of Debian's that the current user can log in to. */
export interface TestSshd {
  readonly port: number;
  /** Its host keys by type: `ed25519`, `rsa`, `ecdsa`. */
  readonly hostKeys: Readonly<Record<string, TestKey>>;
  readonly program: RunningProgram;
  /** Replaces its authorized_keys. */
  authorize(...keys: TestKey[]): void;
}

/** A TCP relay that can go silent, as a network does. */
export interface Relay {
  readonly port: number;
  /** From now on no byte passes, in either direction; connections stay open. */
  cut(): void;
  /** Ends all connections. */
  reset(): void;
  /** Bytes that came from the client. */
  readonly bytesFromClient: number;
}

export type Sandbox = ReturnType<typeof createSandbox>;

/** Makes a sandbox. Whoever makes it registers its end: `afterAll(() => sandbox.dispose())`. */
export function createSandbox() {
  const folder = mkdtempSync(join(tmpdir(), "expose-ssh-"));
  const home = join(folder, "home");
  mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  const cleanups: (() => unknown)[] = [
    () => rmSync(folder, { recursive: true, force: true }),
  ];
  const username = userInfo().username;
  let counter = 0;
  const unique = (name: string): string => join(folder, `${name}-${counter++}`);

  const sandbox = {
    folder,
    home,
    username,
    unique,

    /** Calls back when the sandbox ends; the last one first. */
    defer: (cleanup: () => unknown): void => void cleanups.push(cleanup),

    async dispose(): Promise<void> {
      for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
    },

    write(path: string, text: string, mode = 0o600): string {
      const full = path.startsWith("/") ? path : join(folder, path);
      writeFileSync(full, text, { mode });
      return full;
    },

    /** Makes a key pair with ssh-keygen. */
    key(
      type = "ed25519",
      {
        passphrase = "",
        path = unique(`key_${type}`),
        format = "",
        comment = "test",
      } = {},
    ): TestKey {
      execFileSync("ssh-keygen", [
        ...["-q", "-t", type, "-N", passphrase, "-C", comment, "-f", path],
        ...(type === "rsa" ? ["-b", "2048"] : []),
        ...(format ? ["-m", format] : []),
        ...(passphrase ? ["-a", "1"] : []),
      ]);
      return readTestKey(path);
    },

    /** Starts ssh-agent and loads keys into it; certificates beside the keys are loaded too. */
    async agent(...keys: TestKey[]): Promise<string> {
      const socket = unique("agent");
      const program = startProgram("ssh-agent", ["-D", "-a", socket]);
      sandbox.defer(() => stop(program));
      await program.waitFor(/SSH_AUTH_SOCK=/);
      for (const key of keys)
        execFileSync("ssh-add", ["-q", key.path], {
          env: { ...process.env, SSH_AUTH_SOCK: socket },
          stdio: "pipe",
        });
      return socket;
    },

    /** Starts sshd on a free port of 127.0.0.1. @param lines of sshd_config, in front of the defaults */
    async sshd({
      hostKeyTypes = ["ed25519"],
      lines = [] as readonly string[],
      authorized = [] as readonly TestKey[],
    } = {}): Promise<TestSshd> {
      const authorizedKeys = unique("authorized_keys");
      const authorize = (...keys: TestKey[]): void =>
        writeFileSync(
          authorizedKeys,
          keys.map(({ line }) => `${line}\n`).join(""),
        );
      authorize(...authorized);
      const hostKeys = Object.fromEntries(
        hostKeyTypes.map((type) => [
          type,
          sandbox.key(type, { path: unique(`host_${type}`) }),
        ]),
      );
      // As root sshd wants its empty folder for privilege separation, which Debian makes at boot.
      if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
      const port = await freePort();
      const config = sandbox.write(
        unique("sshd_config"),
        [
          ...lines,
          `Port ${port}`,
          "ListenAddress 127.0.0.1",
          ...Object.values(hostKeys).map(({ path }) => `HostKey ${path}`),
          `PidFile none`,
          `AuthorizedKeysFile ${authorizedKeys}`,
          // Commands run in the login shell, and bash reads ~/.bashrc even so: what that starts is not ours to wait for.
          `SetEnv HOME=${home}`,
          ...["StrictModes no", "UsePAM no", "PermitRootLogin yes"],
          ...["PasswordAuthentication no", "KbdInteractiveAuthentication no"],
          ...["LogLevel VERBOSE", ""],
        ].join("\n"),
      );
      const program = startProgram("/usr/sbin/sshd", [
        "-D",
        "-e",
        "-f",
        config,
      ]);
      sandbox.defer(() => stop(program));
      await program.waitFor(/Server listening on/);
      return { port, hostKeys, program, authorize };
    },

    /** Starts a TCP server that hands each connection to `handler`. @returns its port */
    async tcp(
      handler: (socket: Socket) => void,
      host = "127.0.0.1",
    ): Promise<number> {
      const sockets = new Set<Socket>();
      const server = createServer({ noDelay: true }, (socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        socket.on("error", () => {});
        handler(socket);
      });
      return listen(server, host, () => {
        for (const socket of sockets) socket.destroy();
      });
    },

    /** A port that lets nobody in and says nothing, as behind a firewall: its queue is full and nobody empties it. */
    async blackHole(host = "127.0.0.1"): Promise<number> {
      const script = `const s = require("node:net").createServer();
        s.listen({ port: 0, host: ${JSON.stringify(host)}, backlog: 1 }, () => console.log("port", s.address().port));`;
      const program = startProgram(process.execPath, ["-e", script]);
      sandbox.defer(() => stop(program));
      const port = Number((await program.waitFor(/port (\d+)/))[1]);
      program.kill("SIGSTOP");
      // The kernel takes in one more than the backlog says, and then answers no more.
      for (let i = 0; i < 2; i++) {
        const filler = connect(port, host);
        sandbox.defer(() => filler.destroy());
        filler.on("error", () => {});
        await once(filler, "connect");
      }
      return port;
    },

    /** Starts a relay in front of a local port. @param bytesPerSecond slows the way to the server down */
    async relay(
      toPort: number,
      { bytesPerSecond = Infinity } = {},
    ): Promise<Relay> {
      const pairs = new Set<[Socket, Socket]>();
      let isCut = false;
      let bytesFromClient = 0;
      const port = await sandbox.tcp((near) => {
        const far = connect({
          ...{ port: toPort, host: "127.0.0.1", noDelay: true },
        });
        sandbox.defer(() => far.destroy());
        const pair: [Socket, Socket] = [near, far];
        pairs.add(pair);
        near.on("data", (chunk: Buffer) => {
          bytesFromClient += chunk.length;
          far.write(chunk);
          if (bytesPerSecond === Infinity) return;
          near.pause();
          setTimeout(
            () => isCut || near.resume(),
            (chunk.length / bytesPerSecond) * 1_000,
          );
        });
        far.on("data", (chunk: Buffer) => near.write(chunk));
        const end = (): void => {
          if (isCut) return;
          pairs.delete(pair);
          near.destroy();
          far.destroy();
        };
        for (const socket of pair) {
          socket.on("error", () => {});
          socket.on("close", end);
        }
      });
      return {
        port,
        cut() {
          isCut = true;
          for (const pair of pairs) for (const socket of pair) socket.pause();
        },
        reset() {
          for (const pair of pairs)
            for (const socket of pair) socket.resetAndDestroy();
        },
        get bytesFromClient() {
          return bytesFromClient;
        },
      };
    },

    /** Resolves a target with this sandbox's home and nothing of the machine's. */
    target(
      server: string,
      options: SessionOptions & { env?: NodeJS.ProcessEnv } = {},
    ): Promise<SshTarget> {
      return resolveTarget(server, {
        systemConfig: join(folder, "no-such-file"),
        knownHosts: [join(home, ".ssh/known_hosts")],
        ...options,
        home,
        env: options.env ?? {},
      });
    },
  };

  function listen(
    server: Server,
    host: string,
    endAll: () => void,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, host, () => {
        sandbox.defer(() => {
          endAll();
          server.close();
          return once(server, "close");
        });
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  return sandbox;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Reads a key pair that ssh-keygen has made. */
export function readTestKey(path: string): TestKey {
  const line = readFileSync(`${path}.pub`, "utf8").trim();
  const [type = "", base64 = ""] = line.split(" ");
  const shown = execFileSync("ssh-keygen", ["-lf", `${path}.pub`], {
    encoding: "utf8",
  });
  return {
    path,
    line,
    type,
    blob: Buffer.from(base64, "base64"),
    fingerprint: shown.split(" ")[1]!,
  };
}
