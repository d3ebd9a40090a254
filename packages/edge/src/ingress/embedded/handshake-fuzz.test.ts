// Broken handshakes: each ends its own connection and nothing else. EXPOSE_FUZZ_HANDSHAKES says how many; the seed is
// fixed, so that a failure comes back.
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { expect, it, onTestFinished, vi } from "vitest";
import { useSshKey } from "../../../../../test/harness/openssh-client.ts";
import {
  useControlForward,
  useEmbeddedIngress,
  useSsh2Client,
} from "./test-support.ts";

const count = Number(process.env.EXPOSE_FUZZ_HANDSHAKES ?? 300);

it(
  `${count} mutated handshakes crash nothing and leave no connection`,
  { timeout: 30_000 + count * 20 },
  async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      limits: { maxUnauthenticatedPerAddress: 10_000 },
    });
    const witness = await useSsh2Client(edge.port, key);
    const { forward } = await useControlForward(edge, witness);
    const handshake = await recordHandshake(edge.port, key);
    const random = createRandom(20_260_101);

    const batch = 50;
    for (let done = 0; done < count; done += batch)
      await Promise.all(
        Array.from({ length: Math.min(batch, count - done) }, () =>
          send(edge.port, mutate(handshake, random)),
        ),
      );

    await vi.waitUntil(() => edge.ingress.stats().strangers === 0);
    expect(edge.ingress.stats().connections).toBe(1);
    expect(forward.closed).toBe(false);
    // And the server still serves.
    await useControlForward(edge, await useSsh2Client(edge.port, key));
  },
);

/** What a client sends during a login, packet by packet as TCP delivered it. */
async function recordHandshake(
  port: number,
  key: ReturnType<typeof useSshKey>,
): Promise<Buffer[]> {
  const sent: Buffer[] = [];
  const relay = createServer((socket) => {
    const server = connect(port, "127.0.0.1");
    socket.on("data", (chunk: Buffer) => sent.push(chunk));
    socket.on("error", () => server.destroy());
    server.on("error", () => socket.destroy());
    socket.pipe(server).pipe(socket);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void relay.close());
  await once(relay, "listening");
  const client = await useSsh2Client(
    (relay.address() as AddressInfo).port,
    key,
  );
  const closed = once(client, "close");
  client.end();
  await closed;
  return sent;
}

/** Changes up to four places: bits, lengths, lost, doubled, swapped and cut-off parts, noise. */
function mutate(handshake: Buffer[], random: () => number): Buffer[] {
  const parts = handshake.map((part) => Buffer.from(part));
  const any = (limit: number) => Math.floor(random() * limit);
  for (let changes = 1 + any(4); changes > 0; changes--) {
    const at = any(parts.length);
    const part = parts[at]!;
    if (part.length === 0) continue;
    const offset = any(part.length);
    switch (any(8)) {
      case 0:
        part[offset]! ^= 1 << any(8);
        break;
      case 1:
        part[offset] = any(256);
        break;
      case 2:
        if (part.length >= offset + 4)
          part.writeUInt32BE([0, 1, 0x7fffffff, 0xffffffff][any(4)]!, offset);
        break;
      case 3:
        parts[at] = part.subarray(0, offset);
        break;
      case 4:
        parts.splice(at, 0, part);
        break;
      case 5:
        if (parts.length > 1) parts.splice(at, 1);
        break;
      case 6:
        parts.push(...parts.splice(at, 1));
        break;
      default:
        parts.splice(
          at,
          0,
          Buffer.from(Array.from({ length: any(200) }, () => any(256))),
        );
    }
  }
  return parts;
}

/** Sends it in one go or in pieces, and resolves when the server has closed the connection. */
async function send(port: number, parts: Buffer[]): Promise<void> {
  const socket = connect(port, "127.0.0.1").resume();
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => resolve()),
  );
  for (const part of parts) {
    socket.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await closed;
}

/** A small generator of its own (mulberry32), because Math.random takes no seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
