// Guards what packages/protocol/src/ssh-flow.ts assumes of ssh2's client, on a real client and a real server of ssh2's.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { ClientChannel, ServerChannel } from "ssh2";
import { afterAll, describe, expect, it } from "vitest";
import { letGo, START_WINDOW_BYTES, type Flow } from "@expose/protocol";
import crypto from "ssh2/lib/protocol/crypto.js";
import { steer } from "./inside-ssh2.ts";
import { watchPressure } from "./link-pressure.ts";
import { hasNativeCrypto } from "./native-crypto.ts";
import { tameChannel } from "./tame-channel.ts";
import { createSandbox } from "./testing/sandbox.ts";
import { connectPair } from "./testing/ssh2-pair.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

interface Internals {
  incoming: { window: number };
  outgoing: { window: number };
}
interface Protocol {
  channelWindowAdjust(id: number, bytes: number): void;
}

async function useSteered() {
  const pair = await connectPair(sandbox);
  const link = watchPressure(pair.socket, undefined);
  const flow: Flow = steer(pair.client, link);
  const granted: number[] = [];
  const { _protocol: protocol } = pair.client as unknown as {
    _protocol: Protocol;
  };
  const adjust = protocol.channelWindowAdjust;
  protocol.channelWindowAdjust = (id, bytes) => {
    granted.push(bytes);
    adjust.call(protocol, id, bytes);
  };
  const { near, far } = await pair.forward((channel) => {
    tameChannel(channel, "connection");
    flow.adopt(channel);
  });
  near.on("error", () => {});
  return { ...pair, link, flow, granted, near, far };
}

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
const sha = (bytes: Buffer): string =>
  createHash("sha256").update(bytes).digest("hex");

describe("a steered connection", () => {
  it("announces the window that channels start with", async () => {
    const { near, far } = await useSteered();
    expect((far as unknown as Internals).outgoing.window).toBe(
      START_WINDOW_BYTES,
    );
    expect((near as unknown as Internals).incoming.window).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });

  it("knows its round trip", async () => {
    const { flow, near, far } = await useSteered();
    far.write("x");
    await once(near, "data");
    expect(flow.path.roundTripMs).toBeGreaterThan(0);
    expect(flow.path.roundTripMs).toBeLessThan(1_000);
  });

  it.each(["flows", "is read by and by", "is iterated over"])(
    "gives the window back for what %s, and ssh2 gives none by itself",
    async (how) => {
      const { near, far, granted } = await useSteered();
      const body = randomBytes(20_000_000);
      far.end(body);
      const got: Buffer[] = [];
      if (how === "is iterated over") {
        for await (const chunk of near) got.push(chunk as Buffer);
      } else if (how === "flows") {
        near.on("data", (chunk: Buffer) => {
          got.push(chunk);
          // A reader that stops now and then: the window must come back each time.
          if (got.length % 5 !== 0) return;
          near.pause();
          setImmediate(() => near.resume());
        });
        await once(near, "end");
      } else {
        near.on("readable", () => {
          const chunk = near.read() as Buffer | null;
          if (chunk !== null) got.push(chunk);
        });
        await once(near, "end");
      }
      expect(sha(Buffer.concat(got))).toBe(sha(body));
      // All but the first window was granted, and never more than the largest one ahead.
      expect(sum(granted)).toBeGreaterThanOrEqual(
        body.length - START_WINDOW_BYTES,
      );
      expect(sum(granted)).toBeLessThan(body.length + 16 * 1024 ** 2);
    },
  );

  it("reads into the same memory again and again while its reader lets go of all", async () => {
    const { near, far, client } = await useSteered();
    const body = randomBytes(40_000_000);
    const hash = createHash("sha256");
    const memories = new Set<ArrayBufferLike>();
    let rekeyed = 0;
    client.on("handshake", () => rekeyed++);
    far.end(body);
    let got = 0;
    near.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      memories.add(chunk.buffer);
      letGo(chunk);
      // A new cipher in the middle of it.
      if (got < 9_000_000 && got + chunk.length >= 9_000_000)
        (
          client as unknown as { _protocol: { rekey(): void } }
        )._protocol.rekey();
      got += chunk.length;
    });
    await once(near, "end");
    expect(hash.digest("hex")).toBe(sha(body));
    expect(rekeyed).toBe(1);
    // Without the addon ssh2 decrypts into buffers of Node's.
    if (!hasNativeCrypto()) return;
    // Each packet that lies across the end of what was read still has a buffer of its own.
    expect(memories.size).toBeLessThan(body.length / 100_000);
  });

  it("leaves alone what its reader keeps", async () => {
    const { near, far } = await useSteered();
    const body = randomBytes(20_000_000);
    const kept: { at: number; chunk: Buffer }[] = [];
    let got = 0;
    far.end(body);
    near.on("data", (chunk: Buffer) => {
      // Mostly none, so that memory is used again all the time.
      if (got % 11 === 0) kept.push({ at: got, chunk });
      else letGo(chunk);
      got += chunk.length;
    });
    await once(near, "end");
    expect(got).toBe(body.length);
    expect(kept.length).toBeGreaterThan(10);
    for (const { at, chunk } of kept)
      expect(chunk.equals(body.subarray(at, at + chunk.length))).toBe(true);
  });

  // Half a control message was overwritten by what visitors downloaded beside it, with bytes of other connections even.
  it("leaves alone what somebody keeps of a session beside it", async () => {
    const { client, server, near, far } = await useSteered();
    const commanded = new Promise<ServerChannel>((resolve) =>
      server.once("session", (accept) =>
        accept().once("exec", (take) => resolve(take())),
      ),
    );
    const session = await new Promise<ClientChannel>((resolve, reject) =>
      client.exec("control", (error, channel) =>
        error ? reject(error) : resolve(channel),
      ),
    );
    const speaker = await commanded;
    const heard: Buffer[] = [];
    session.on("data", (chunk: Buffer) => heard.push(chunk));
    near.on("data", letGo);
    far.write(randomBytes(1_000_000));
    for (let i = 0; i < 20; i++) {
      speaker.write(`half a message ${i}`);
      far.write(randomBytes(1_000_000));
      while (heard.length <= i) await new Promise(setImmediate);
    }
    far.end();
    await once(near, "end");
    expect(heard.map(String)).toEqual(
      heard.map((_, i) => `half a message ${i}`),
    );
  });

  // A visitor who reads nothing of a fast download must not keep the memory of all the others' as well.
  it("keeps no more than what came while its reader pauses", async () => {
    const { near, far } = await useSteered();
    let got = 0;
    let isPaused = false;
    let waited = 0;
    near.on("data", (chunk: Buffer) => {
      got += chunk.length;
      if (!isPaused) return letGo(chunk);
      expect(chunk.buffer.byteLength).toBeLessThanOrEqual(
        Math.max(chunk.length, Buffer.poolSize),
      );
      waited += chunk.length;
    });
    far.write(Buffer.alloc(500_000));
    while (got < 500_000) await once(near, "data");
    near.pause();
    isPaused = true;
    far.write(Buffer.alloc(500_000));
    while (near.readableLength < 500_000) await new Promise(setImmediate);
    near.resume();
    while (waited < 500_000) await new Promise(setImmediate);
  });

  it("grants nothing while nobody reads, and again when somebody does", async () => {
    const { near, far, granted } = await useSteered();
    near.pause();
    far.write(Buffer.alloc(3 * START_WINDOW_BYTES));
    while (near.readableLength < START_WINDOW_BYTES)
      await new Promise(setImmediate);
    expect(granted).toEqual([]);
    let got = 0;
    near.on("data", (chunk: Buffer) => (got += chunk.length));
    near.resume();
    while (got < 3 * START_WINDOW_BYTES) await once(near, "data");
    expect(granted.length).toBeGreaterThan(0);
  });

  it("ends when the server sends more than was granted", async () => {
    const { client, near, far } = await useSteered();
    near.pause();
    (far as unknown as Internals).outgoing.window = 1e9;
    const error = once(client, "error");
    far.write(Buffer.alloc(2 * START_WINDOW_BYTES));
    await expect(error).resolves.toMatchObject([
      { message: expect.stringContaining("more data than the window allows") },
    ]);
  });

  it("keeps nothing of what the server says beside the data of a connection", async () => {
    const { near, far } = await useSteered();
    (far as unknown as Internals).outgoing.window = 1e9;
    far.stderr.write(Buffer.alloc(3 * START_WINDOW_BYTES));
    far.write("x");
    await once(near, "data");
    expect(near.stderr.readableLength).toBe(0);
  });

  it("is full while much is on its way, though the socket has taken it all", async () => {
    const { server, near, far, link, socket, flow } = await useSteered();
    far.resume();
    near.write("x");
    while (flow.path.roundTripMs === undefined) await new Promise(setImmediate);
    expect(link.isFull()).toBe(false);
    const { _sock: farSocket } = server as unknown as { _sock: Socket };
    farSocket.pause();
    near.write(Buffer.alloc(300_000));
    while (socket.writableLength > 0) await new Promise(setImmediate);
    expect(link.isFull()).toBe(true);
    farSocket.resume();
    await new Promise<void>((resolve) => link.onceDrained(resolve));
    expect(link.isFull()).toBe(false);
  });
});

// What bulk-reads.ts in protocol relies on: otherwise memory would be read over that a packet still lies in.
describe("a decipher of ssh2", () => {
  it.each([
    "aes128-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
  ])(
    "for %s shows what it has of a packet until its tag is there",
    async (name) => {
      await ssh2Crypto.init;
      const [cipherInfo, macInfo] = [
        ssh2Crypto.CIPHER_INFO[name]!,
        ssh2Crypto.MAC_INFO["hmac-sha2-256-etm@openssh.com"]!,
      ];
      const key = Buffer.alloc(cipherInfo.keyLen, 1);
      const iv = (): Buffer => Buffer.alloc(cipherInfo.ivLen, 2);
      const macKey = Buffer.alloc(macInfo.len, 3);
      const written: Buffer[] = [];
      const cipher = ssh2Crypto.createCipher({
        outbound: {
          ...{ seqno: 0, cipherInfo, cipherKey: key, cipherIV: iv() },
          ...{
            macInfo,
            macKey,
            onWrite: (data) => written.push(Buffer.from(data)),
          },
        },
      });
      const decipher = ssh2Crypto.createDecipher({
        inbound: {
          ...{ seqno: 0, decipherInfo: cipherInfo, decipherKey: key },
          ...{ decipherIV: iv(), macInfo, macKey, onPayload: () => {} },
        },
      });
      const packet = cipher.allocPacket(1_000);
      packet.fill("x", 5, 1_005);
      cipher.encrypt(packet);
      const data = Buffer.concat(written);
      // Asked for each packet anew, so that it can be replaced.
      const payloads: string[] = [];
      decipher._onPayload = (payload) => void payloads.push(String(payload));
      expect(decipher._packet).toBeNull();
      const most = data.length - 1;
      decipher.decrypt(data, 0, most);
      expect(decipher._packet).toHaveLength(decipher._len);
      decipher.decrypt(data.subarray(most), 0, 1);
      expect(decipher._packet).toBeNull();
      expect(payloads).toEqual(["x".repeat(1_000)]);
    },
  );
});

interface Info {
  readonly keyLen: number;
  readonly ivLen: number;
  readonly len: number;
}

const ssh2Crypto = crypto as unknown as {
  readonly init: Promise<void>;
  readonly CIPHER_INFO: Record<string, Info>;
  readonly MAC_INFO: Record<string, Info>;
  createCipher(config: {
    outbound: { onWrite(data: Buffer): void; [key: string]: unknown };
  }): {
    allocPacket(payloadLength: number): Buffer;
    encrypt(packet: Buffer): void;
  };
  createDecipher(config: {
    inbound: { onPayload(payload: Buffer): void; [key: string]: unknown };
  }): {
    _onPayload(payload: Buffer): void;
    _packet: Uint8Array | null;
    _len: number;
    decrypt(data: Buffer, from: number, to: number): void;
  };
};
