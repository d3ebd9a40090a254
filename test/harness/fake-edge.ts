// Stands where the edge would behind sshd: makes the control sockets and the keys file, and takes notes of who comes.
import { once } from "node:events";
import { chmodSync, chownSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { SshKey } from "./openssh-client.ts";
import type { Sshd } from "./sshd.ts";

/** A session that sshd's forced command brought. */
export interface FakeSession {
  readonly identity: string;
  readonly socket: Socket;
  /** All that the client has said. */
  readonly received: string;
  /** Resolves when the socket has closed. */
  readonly closed: Promise<void>;
}

/** Who may log in. */
export interface FakeUser {
  readonly identity: string;
  readonly key: SshKey;
  readonly directPorts?: readonly number[];
}

/** An edge that does nothing. */
export interface FakeEdge {
  readonly sessions: readonly FakeSession[];
  /** The next session that comes from an identity. */
  nextSession(identity: string): Promise<FakeSession>;
  /** Has session-reaper look for connections without a session, once it has come. */
  sweep(minAgeS: number): Promise<void>;
  close(): Promise<void>;
}

/** What the fake edge says first on each session, in place of the control protocol. */
export const GREETING = "EDGE\n";

/** Lets users in. Whoever starts it registers its end. */
export async function startFakeEdge(
  sshd: Sshd,
  users: readonly FakeUser[],
): Promise<FakeEdge> {
  const sessions: FakeSession[] = [];
  const waiting: {
    identity: string;
    resolve: (session: FakeSession) => void;
  }[] = [];
  const servers: Server[] = [];
  const reapers: Socket[] = [];
  const reaperWaiting: (() => void)[] = [];

  for (const { identity } of users)
    servers.push(
      await listen(sshd, `${identity}.sock`, (socket) => {
        let received = "";
        socket.on("data", (chunk) => (received += String(chunk)));
        const session: FakeSession = {
          identity,
          socket,
          get received() {
            return received;
          },
          closed: new Promise<void>((resolve) =>
            socket.once("close", () => resolve()),
          ),
        };
        sessions.push(session);
        socket.write(GREETING);
        const index = waiting.findIndex((one) => one.identity === identity);
        if (index >= 0) waiting.splice(index, 1)[0]!.resolve(session);
      }),
    );
  servers.push(
    await listen(sshd, "reaper", (socket) => {
      reapers.push(socket);
      for (const resolve of reaperWaiting.splice(0)) resolve();
    }),
  );
  writeFileSync(
    sshd.keysFile,
    users
      .map(({ identity, key, directPorts = [] }) => {
        const [type, blob] = key.publicKey.split(" ");
        return `${type} ${blob} ${identity}.sock ${directPorts.join(",") || "-"}\n`;
      })
      .join(""),
  );

  return {
    sessions,
    nextSession: (identity) =>
      new Promise((resolve) => waiting.push({ identity, resolve })),
    async sweep(minAgeS) {
      if (reapers.length === 0)
        await new Promise<void>((resolve) => reaperWaiting.push(resolve));
      for (const socket of reapers) socket.write(`sweep ${minAgeS}\n`);
    },
    async close() {
      for (const { socket } of sessions) socket.destroy();
      for (const socket of reapers) socket.destroy();
      for (const server of servers) {
        server.close();
        await once(server, "close");
      }
    },
  };
}

async function listen(
  sshd: Sshd,
  name: string,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  });
  const path = join(sshd.controlDir, name);
  server.listen(path);
  await once(server, "listening");
  chmodSync(path, 0o660);
  if (process.getuid?.() === 0)
    chownSync(path, 0, statSync(sshd.controlDir).gid);
  return server;
}
