// Guards what packages/protocol/src/ssh-tuning.ts assumes of ssh2, on a real client and a real server in one process.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Client, Server, type ClientChannel } from "ssh2";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  batchWrites,
  forgetKeyExchange,
  poolPadding,
  tuneChannelClass,
  type ChannelShape,
  type ProtocolShape,
} from "@expose/protocol";
import channelModule from "ssh2/lib/Channel.js";
import { ssh2HostKey } from "../../../../test/harness/ssh2-host-key.ts";

tuneChannelClass(channelModule.Channel as { prototype: ChannelShape });

interface Pair {
  near: Duplex;
  far: Duplex;
  socket: Socket;
  /** What ssh2 has written to the socket: a packet each, or several where its native addon is missing. */
  readonly pieces: number;
  /** What the system was asked to write. */
  readonly writes: number;
}

async function connectPair(): Promise<Pair> {
  const hostKey = ssh2HostKey();
  let gotFar!: (channel: Duplex) => void;
  const farChannel = new Promise<Duplex>((resolve) => (gotFar = resolve));
  const server = new Server({ hostKeys: [hostKey] }, (connection) => {
    connection.on("error", () => {});
    connection.on("authentication", (context) => context.accept());
    connection.on("ready", () => {
      poolPadding(protocolOf(connection), socketOf(connection));
      connection.on("session", (accept) => {
        accept().on("exec", (acceptExec) => gotFar(acceptExec()));
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.setNoDelay(true);
  let writes = 0;
  const inner = (socket as unknown as { _writev: unknown })._writev as (
    ...args: unknown[]
  ) => void;
  const single = socket._write.bind(socket);
  (socket as unknown as { _writev: unknown })._writev = function (
    ...args: unknown[]
  ) {
    writes++;
    return inner.apply(socket, args);
  };
  socket._write = (...args: Parameters<typeof single>) => {
    writes++;
    single(...args);
  };
  batchWrites(socket);
  let pieces = 0;
  const { write } = socket;
  socket.write = ((...args: Parameters<Socket["write"]>) => {
    pieces++;
    return write.apply(socket, args);
  }) as Socket["write"];
  const client = new Client();
  client.on("error", () => {});
  client.connect({ sock: socket, username: "test", password: "test" });
  await once(client, "ready");
  poolPadding(protocolOf(client), socketOf(client));
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  const near = await new Promise<ClientChannel>((resolve, reject) =>
    client.exec("x", (error, channel) =>
      error ? reject(error) : resolve(channel),
    ),
  );
  return {
    near,
    far: await farChannel,
    socket,
    get pieces() {
      return pieces;
    },
    get writes() {
      return writes;
    },
  };
}

const protocolOf = (connection: object): ProtocolShape =>
  (connection as { _protocol: ProtocolShape })._protocol;

const socketOf = (connection: object): Socket =>
  (connection as { _sock: Socket })._sock;

const sha = (chunks: Buffer[]): string =>
  createHash("sha256").update(Buffer.concat(chunks)).digest("hex");

describe("a tuned channel", () => {
  it.each(["to the server", "to the client"])(
    "carries 64 MB of odd chunks unchanged %s",
    async (direction) => {
      const { near, far } = await connectPair();
      const [from, to] =
        direction === "to the server" ? [near, far] : [far, near];
      const sent: Buffer[] = [];
      const got: Buffer[] = [];
      let total = 0;
      to.on("data", (chunk: Buffer) => {
        got.push(Buffer.from(chunk));
        total += chunk.length;
        // A reader that stops now and then: the window must come back each time.
        if (got.length % 7 === 0) {
          to.pause();
          setImmediate(() => to.resume());
        }
      });
      const block = randomBytes(300_000);
      let size = 0;
      for (let i = 0; size < 64_000_000; i++) {
        const chunk = block.subarray(0, 1 + ((i * 7_919) % 300_000));
        sent.push(chunk);
        size += chunk.length;
        if (!from.write(chunk)) await once(from, "drain");
      }
      while (total < size) await once(to, "data");
      expect(total).toBe(size);
      expect(sha(got)).toBe(sha(sent));
    },
    // Without its native addon ssh2 encrypts in JavaScript.
    30_000,
  );

  it("makes large packets in memory that is used again once they are out, whatever the cipher", async () => {
    const { near, far, socket } = await connectPair();
    const { _client: client } = near as unknown as { _client: object };
    const protocol = protocolOf(client) as ProtocolShape & { rekey(): void };
    const alloc = (): Buffer => protocol._cipher.allocPacket(32_768);
    const first = alloc();
    const { _cipher: cipher } = protocol;
    protocol.rekey();
    await once(client as NodeJS.EventEmitter, "handshake");
    expect(protocol._cipher).not.toBe(cipher);
    const second = alloc();
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteOffset).toBe(first.byteOffset);
    // In a turn of its own, so that nothing has it sent at once.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    near.write(Buffer.alloc(20_000));
    expect(socket.writableLength).toBeGreaterThan(20_000);
    expect(alloc().byteOffset).toBeGreaterThan(20_000);
    far.resume();
  });

  it("gives bytes in order when some were unshifted", async () => {
    const { near, far } = await connectPair();
    far.write("0123456789");
    const [first] = (await once(near, "data")) as [Buffer];
    near.pause();
    near.unshift(first.subarray(4));
    far.write("abc");
    const got: string[] = [];
    near.on("data", (chunk: Buffer) => got.push(String(chunk)));
    near.resume();
    while (got.join("").length < 9) await once(near, "data");
    expect(got.join("")).toBe("456789abc");
  });

  it("calls back after each write, later and in order", async () => {
    const { near, far } = await connectPair();
    far.resume();
    const order: number[] = [];
    near.write("a", () => order.push(1));
    near.write(Buffer.alloc(5_000_000), () => order.push(2));
    expect(order).toEqual([]);
    await new Promise<void>((resolve) =>
      near.write("c", () => {
        order.push(3);
        resolve();
      }),
    );
    expect(order).toEqual([1, 2, 3]);
  });

  it("sends the packets of one turn eight at a time", async () => {
    const pair = await connectPair();
    pair.far.resume();
    const before = { pieces: pair.pieces, writes: pair.writes };
    for (let i = 0; i < 50; i++) pair.near.write("x");
    pair.near.write("last");
    const pieces = pair.pieces - before.pieces;
    expect(pieces).toBeGreaterThanOrEqual(51);
    while (pair.socket.writableLength > 0)
      await new Promise((resolve) => setImmediate(resolve));
    expect(pair.writes - before.writes).toBe(Math.ceil(pieces / 8));
  });

  it("grants no window after it was closed", async () => {
    const { near, far } = await connectPair();
    const adjusted: unknown[] = [];
    const protocol = (
      near as unknown as { _client: { _protocol: Record<string, unknown> } }
    )._client._protocol;
    const original = protocol["channelWindowAdjust"] as (
      ...args: unknown[]
    ) => void;
    near.pause();
    far.write(Buffer.alloc(1_900_000));
    await new Promise((resolve) => far.write("end", resolve));
    (near as unknown as ChannelShape).close();
    protocol["channelWindowAdjust"] = (...args: unknown[]) => {
      adjusted.push(args);
      original.apply(protocol, args);
    };
    near.resume();
    await once(near, "close");
    expect(adjusted).toEqual([]);
  });
});

describe("what is left of a key exchange", () => {
  it("is forgotten, and the next one works", async () => {
    const { near, far } = await connectPair();
    const { _client: client } = near as unknown as { _client: Client };
    const { _client: server } = far as unknown as {
      _client: Client & { rekey(callback?: () => void): void };
    };
    for (const connection of [client, server]) {
      const protocol = protocolOf(connection);
      expect(protocol._kex?._keys).toMatchObject({ privateKey: {} });
      const said = [protocol._identRaw, protocol._remoteIdentRaw].map(String);
      forgetKeyExchange(protocol);
      expect(protocol._kex?._keys).toBe(null);
      expect(protocol._kex?.finish).toThrow("has finished");
      for (const bytes of [
        ...[protocol._identRaw, protocol._remoteIdentRaw],
        ...Object.values(protocol._decipher).filter(Buffer.isBuffer),
      ])
        expect(bytes.buffer.byteLength).toBeLessThan(Buffer.poolSize);
      expect(
        [protocol._identRaw, protocol._remoteIdentRaw].map(String),
      ).toEqual(said);
    }
    const { _kex: before } = protocolOf(client);
    await new Promise<void>((resolve) => server.rekey(resolve));
    near.write("after");
    expect(String(((await once(far, "data")) as [Buffer])[0])).toBe("after");
    expect(protocolOf(client)._kex).not.toBe(before);
  });
});

describe("pooled padding", () => {
  it("is in place at both ends and survives a new key exchange", async () => {
    const { near, far } = await connectPair();
    const connection = (
      near as unknown as {
        _client: Client & { _protocol: ProtocolShape & { rekey?: () => void } };
      }
    )._client;
    const protocol = protocolOf(connection);
    const before = protocol._cipher;
    expect(before.allocPacket.name).toBe("allocPooled");
    const server = (
      far as unknown as { _client: { rekey(callback?: () => void): void } }
    )._client;
    await new Promise<void>((resolve) => server.rekey(resolve));
    near.write("after");
    expect(String(((await once(far, "data")) as [Buffer])[0])).toBe("after");
    expect(protocol._cipher).not.toBe(before);
    expect(protocol._cipher.allocPacket.name).toBe("allocPooled");
  });
});
