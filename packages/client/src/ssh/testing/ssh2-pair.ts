// A client and a server of ssh2's in one process, for what no real server does on command.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  Client,
  Server,
  type ClientChannel,
  type Connection,
  type ServerChannel,
} from "ssh2";
import type { Sandbox } from "./sandbox.ts";

/** See the file's head. */
export interface Ssh2Pair {
  readonly client: Client;
  readonly server: Connection;
  readonly socket: Socket;
  /** Opens a forwarded connection. `near` is handed to `tame` in the tick in which it appears. */
  forward(
    tame: (channel: ClientChannel) => void,
  ): Promise<{ near: ClientChannel; far: ServerChannel }>;
}

/** Connects a pair; both ends go with the sandbox. @param between a port that leads to the server's, such as a relay's */
export async function connectPair(
  sandbox: Sandbox,
  between: (port: number) => Promise<number> = (port) => Promise.resolve(port),
): Promise<Ssh2Pair> {
  let serverSide!: Connection;
  const port = await ssh2Server(sandbox, (connection) => {
    serverSide = connection;
    connection.on("authentication", (context) => context.accept());
    connection.on("request", (accept, _reject, name) => {
      if (name === "tcpip-forward") accept?.();
    });
  });
  const socket = connect({
    ...{ port: await between(port), host: "127.0.0.1", noDelay: true },
  });
  const client = new Client();
  client.on("error", () => {});
  client.connect({ sock: socket, username: "test", password: "test" });
  await once(client, "ready");
  sandbox.defer(() => socket.destroy());
  await new Promise<void>((resolve, reject) =>
    client.forwardIn("127.0.0.1", 80, (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return {
    client,
    server: serverSide,
    socket,
    async forward(tame) {
      const arrived = new Promise<ClientChannel>((resolve) =>
        client.once("tcp connection", (_details, accept) => {
          const channel = accept();
          tame(channel);
          resolve(channel);
        }),
      );
      const far = await new Promise<ServerChannel>((resolve, reject) =>
        serverSide.forwardOut(
          "127.0.0.1",
          80,
          "192.0.2.1",
          1234,
          (error, channel) => (error ? reject(error) : resolve(channel)),
        ),
      );
      far.on("error", () => {});
      return { near: await arrived, far };
    },
  };
}

/** Starts an ssh2 Server on a port of 127.0.0.1. @returns the port */
export async function ssh2Server(
  sandbox: Sandbox,
  onConnection: (connection: Connection) => void,
): Promise<number> {
  // Made by ssh-keygen: of the ed25519 keys that ssh2 makes, one in 256 is malformed (those with a leading zero byte).
  const hostKey = readFileSync(sandbox.key().path);
  const server = new Server({ hostKeys: [hostKey] }, (connection) => {
    connection.on("error", () => {});
    onConnection(connection);
  });
  return sandbox.tcp((socket) => server.injectSocket(socket));
}

/** Collects what a stream does, in order. */
export function watchEvents(stream: Duplex): string[] {
  const events: string[] = [];
  for (const name of ["end", "close", "error"] as const)
    stream.on(name, () => events.push(name));
  return events;
}
