// For the tests of replays: a local service that records the bytes it gets and answers with bytes of the test's own.
import { once } from "node:events";
import net from "node:net";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";

export interface RawUpstream {
  readonly port: number;
  /** `localhost:PORT`. */
  readonly label: string;
  /** What each connection has sent so far. */
  readonly received: Buffer[];
  dial(signal: AbortSignal): Promise<Duplex>;
}

/**
 * Listens until the test ends.
 *
 * @param answer is called when the first bytes of a connection are there, and may write or end as it likes
 */
export async function useRawUpstream(
  answer: (socket: net.Socket, connection: number) => void,
): Promise<RawUpstream> {
  const received: Buffer[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const connection = received.push(Buffer.alloc(0)) - 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const first = received[connection]!.length === 0;
      received[connection] = Buffer.concat([received[connection]!, chunk]);
      if (first) answer(socket, connection);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    label: `localhost:${port}`,
    received,
    async dial() {
      const socket = net.connect({ port, host: "127.0.0.1" });
      socket.on("error", () => {});
      await once(socket, "connect");
      return socket;
    },
  };
}
