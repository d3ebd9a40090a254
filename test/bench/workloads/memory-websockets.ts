// What a WebSocket that nobody speaks on costs in memory.
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntilServed } from "../load/ask.ts";
import { usedHeap } from "../measure/heap.ts";
import { memoryMib, processTree } from "../measure/processes.ts";
import type { Target, Workload } from "../model.ts";

const SOCKETS = 1_000;
const WARM_UP = 50;
// One visitor may have 256 connections: they come from several.
const SOCKETS_PER_ADDRESS = 200;
const SETTLE_MS = 5_000;
// The example of RFC 6455 section 1.3.
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** Proportional set size on the server and in the client, for each of 1,000 idle WebSockets through one tunnel. */
export const memoryWebSockets: Workload = {
  name: "memory-ws",
  about: `memory on the server for each of ${SOCKETS} idle WebSockets through one tunnel (PSS)`,
  unit: "KiB",
  better: "less",
  setups: ["ssh", "embedded", "embedded-noinspect", "openssh"],
  rounds: 3,
  start: async (setup, world) => ({
    close: async () => {},
    async sample() {
      const origin = await startWebSocketOrigin();
      const server = await setup.open(world);
      const sockets: Socket[] = [];
      try {
        const link = await server.connect(origin.port, "bench");
        await waitUntilServed(link.target);
        // What the first ones have to load and compile is not what each costs.
        while (sockets.length < WARM_UP)
          sockets.push(await openWebSocket(link.target, sockets.length));
        const roles = { ...server.roles, client: link.pids };
        const before = await measure(roles);
        const heapsBefore = await measureHeaps(roles);
        while (sockets.length < WARM_UP + SOCKETS)
          sockets.push(await openWebSocket(link.target, sockets.length));
        const after = await measure(roles);
        const heapsAfter = await measureHeaps(roles);
        const each = Object.fromEntries(
          Object.keys(roles).map((role) => [
            role,
            ((after[role]! - before[role]!) * 1024) / SOCKETS,
          ]),
        );
        await link.close();
        return {
          value: Object.keys(server.roles).reduce(
            (sum, role) => sum + each[role]!,
            0,
          ),
          detail: Object.fromEntries([
            ...Object.entries(each).map(([role, kib]) => [`${role} KiB`, kib]),
            ...Object.entries(heapsAfter).map(([role, bytes]) => [
              `${role} heap KiB`,
              (bytes - heapsBefore[role]!) / 1024 / SOCKETS,
            ]),
          ]) as Record<string, number>,
        };
      } finally {
        for (const socket of sockets) socket.destroy();
        await server.close();
        await origin.close();
      }
    },
  }),
};

// Switches to a protocol on which it says nothing, as a service does that nobody speaks to.
async function startWebSocketOrigin(): Promise<{
  port: number;
  close(): Promise<void>;
}> {
  const sockets = new Set<Duplex>();
  const server = createServer((_, response) => response.end("ok"));
  server.on("upgrade", (_, socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.resume();
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function openWebSocket(
  { address, port, host }: Target,
  index: number,
): Promise<Socket> {
  const socket = connect({
    ...{ host: address, port },
    localAddress: `127.0.0.${2 + Math.floor(index / SOCKETS_PER_ADDRESS)}`,
  });
  socket.on("error", () => {});
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  if (!/^HTTP\/1.1 101 /.test(head.toString("latin1")))
    throw new Error(`No WebSocket: ${head.toString("latin1").slice(0, 100)}`);
  return socket;
}

async function measure(
  roles: Readonly<Record<string, () => readonly number[]>>,
): Promise<Record<string, number>> {
  await sleep(SETTLE_MS);
  return Object.fromEntries(
    Object.entries(roles).map(([role, list]) => [
      role,
      memoryMib(processTree(list())).pss,
    ]),
  );
}

// Of the roles that are Node processes, which those of an edge and its clients are.
async function measureHeaps(
  roles: Readonly<Record<string, () => readonly number[]>>,
): Promise<Record<string, number>> {
  const heaps: Record<string, number> = {};
  if (!roles["edge"]) return heaps;
  for (const role of ["edge", "client"])
    heaps[role] = await usedHeap(roles[role]!()[0]!);
  return heaps;
}
