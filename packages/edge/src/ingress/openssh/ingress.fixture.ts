// An openssh ingress in a folder of its own, without sshd: tests connect to its control sockets as sshd's forced command
// would, and play the ports that sshd would listen on.
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { IngressSession } from "../ingress.ts";
import { createOpensshIngress } from "./ingress.ts";
import type {
  OpensshIngress,
  OpensshIngressOptions,
  OpensshUser,
} from "./options.ts";

/** An ingress and what it did. */
export interface TestIngress {
  readonly ingress: OpensshIngress;
  readonly folder: string;
  readonly controlDir: string;
  /** Who may log in; takes effect with `ingress.update()`. */
  users: OpensshUser[];
  readonly sessions: IngressSession[];
  readonly logged: string[];
  readKeys(): string;
  /** Connects as sshd would for that identity. Resolves with both ends. */
  enter(id: string): Promise<{ client: Socket; session: IngressSession }>;
}

/** A user with one key for each letter. */
export function testUser(
  id: string,
  keys = "k",
  rights: Partial<OpensshUser["identity"]> = {},
): OpensshUser {
  return {
    identity: {
      id,
      names: undefined,
      maxTunnels: undefined,
      directPorts: [],
      ...rights,
    },
    keys: keys.split("").map((key) => ({
      type: "ssh-ed25519",
      blob: Buffer.from(`${id} ${key}`),
    })),
  };
}

/** Makes a folder that the end of the test removes. */
export function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "expose-ingress-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Builds an ingress, which the end of the test closes. It is not started yet. */
export function useIngress(
  options: Partial<OpensshIngressOptions> = {},
  folder = useFolder(),
): TestIngress {
  const controlDir = options.controlDir ?? join(folder, "control");
  const keysFile = options.keysFile ?? join(folder, "keys");
  const waiting: ((session: IngressSession) => void)[] = [];
  const test: TestIngress = {
    users: [testUser("alice"), testUser("bob")],
    folder,
    controlDir,
    sessions: [],
    logged: [],
    readKeys: () => readFileSync(keysFile, "utf8"),
    ingress: createOpensshIngress({
      controlDir,
      keysFile,
      users: () => test.users,
      ownPorts: () => new Set(),
      handlers: {
        serve(session) {
          test.sessions.push(session);
          waiting.shift()?.(session);
        },
      },
      log: {
        warn: (message) => void test.logged.push(message),
        info: () => {},
        debug: () => {},
      },
      ...options,
    }),
    async enter(id) {
      const coming = new Promise<IngressSession>((resolve) =>
        waiting.push(resolve),
      );
      const client = connect(join(controlDir, `${id}.sock`));
      client.on("error", () => {});
      onTestFinished(() => void client.destroy());
      await once(client, "connect");
      return { client, session: await coming };
    },
  };
  onTestFinished(() => test.ingress.close());
  return test;
}

/** Makes a folder for control sockets with the rights that docs/vps.md gives it. */
export function useControlDir(mode = 0o2710): string {
  const folder = useFolder();
  chmodSync(folder, mode);
  return folder;
}

/** A port that plays sshd's: what it accepts is what a client would get as a channel. */
export async function usePort(
  onConnection: (socket: Socket) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Resolves when a socket closes; to be called before it does. */
export const hasClosed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once("close", () => resolve()));

/** A promise and what settles it; Promise.withResolvers is not in Node 20. */
export function createPromise<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
} {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}
