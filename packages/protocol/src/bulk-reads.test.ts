// On real sockets, with what is assumed of ssh2 played by hand. client/src/ssh/flow.test.ts has the real ssh2.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { BulkReads, isWritten, letGo } from "./bulk-reads.ts";

interface Decipher {
  _onPayload(payload: Buffer): unknown;
  _packet: Uint8Array | null;
}

/** A connection whose reads are all told as data. */
async function useReads() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const far = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [near] = await accepted;
  for (const socket of [near, far]) socket.on("error", () => {});
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  const decipher: Decipher = { _onPayload: () => undefined, _packet: null };
  const protocol = { _decipher: decipher };
  const reads = new BulkReads({ _sock: near, _protocol: protocol });
  let told: (chunk: Buffer) => void = letGo;
  near.on("data", (chunk: Buffer) => reads.tell(chunk, () => told(chunk)));
  return {
    reads,
    protocol,
    decipher,
    near,
    far,
    hear(listener: (chunk: Buffer) => void) {
      told = listener;
    },
    /** Sends, and gives the chunk as it was told. */
    async read(text: string, listener: (chunk: Buffer) => void = letGo) {
      const arrived = new Promise<Buffer>((resolve) => {
        told = (chunk) => {
          listener(chunk);
          resolve(chunk);
        };
      });
      far.write(text);
      return arrived;
    },
  };
}

describe("memory of a connection that carries much", () => {
  it("is used again when everybody has let go", async () => {
    const { read } = await useReads();
    const first = await read("first");
    const second = await read("again");
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteOffset).toBe(first.byteOffset);
    expect(String(first)).toBe("again");
  });

  it("is left to who keeps it", async () => {
    const { read } = await useReads();
    const chunks = [];
    for (let i = 0; i < 9; i++)
      chunks.push(await read(`chunk ${i}`.padEnd(40_000, "."), () => {}));
    expect(chunks.map((chunk) => String(chunk.subarray(0, 7)))).toEqual(
      chunks.map((_, i) => `chunk ${i}`),
    );
  });

  // ssh2 makes an error of the connection of what a listener throws, and the connection goes on until it is closed.
  it("is left to who keeps it when somebody else fails", async () => {
    const { near, reads, far } = await useReads();
    near.removeAllListeners("data");
    const kept: Buffer[] = [];
    near.on("data", (chunk: Buffer) => {
      const tell = (): void =>
        reads.tell(chunk, () => {
          kept.push(chunk);
          throw new Error("a bug");
        });
      expect(tell).toThrow("a bug");
    });
    for (const text of ["first", "again"]) {
      const known = kept.length;
      far.write(text);
      while (kept.length === known) await new Promise(setImmediate);
    }
    expect(kept.map(String)).toEqual(["first", "again"]);
  });

  it("is not let go by somebody who has a part of it", async () => {
    const { read } = await useReads();
    const first = await read("first", (chunk) => letGo(chunk.subarray(1)));
    await read("again");
    expect(String(first)).toBe("first");
  });

  // ssh2 does not copy a packet that is complete but for its tag.
  it("is left to a packet that is not complete", async () => {
    const { read, decipher } = await useReads();
    const first = await read("first", (chunk) => {
      decipher._packet = chunk.subarray(0, 3);
      letGo(chunk);
    });
    decipher._packet = null;
    await read("again");
    expect(String(first)).toBe("first");
  });

  it("is left to what a new key exchange brought", async () => {
    const { read, protocol } = await useReads();
    const first = await read("first", (chunk) => {
      protocol._decipher = { _onPayload: () => undefined, _packet: null };
      letGo(chunk);
    });
    await read("again");
    expect(String(first)).toBe("first");
  });

  it("gives copies of all messages but data", async () => {
    const { read, decipher } = await useReads();
    const payloads: Buffer[] = [];
    decipher._onPayload = (payload) => payloads.push(payload);
    const first = await read("^data", (chunk) => {
      for (const type of [94, 20]) {
        chunk[0] = type;
        decipher._onPayload(chunk);
      }
      letGo(chunk);
    });
    expect(payloads[0]!.buffer).toBe(first.buffer);
    expect(payloads[1]!.buffer).not.toBe(first.buffer);
  });

  it("is left to what waits for a reader who pauses", async () => {
    const { near, far, read, hear } = await useReads();
    await read("first", (chunk) => {
      near.pause();
      letGo(chunk);
    });
    for (const [text, bytes] of [
      ["again", 5],
      ["third", 10],
    ] as const) {
      far.write(text);
      near.read(0);
      while (near.readableLength < bytes) await new Promise(setImmediate);
    }
    const heard: string[] = [];
    hear((chunk) => heard.push(String(chunk)));
    near.resume();
    while (heard.length < 2) await new Promise(setImmediate);
    expect(heard).toEqual(["again", "third"]);
  });

  it("becomes small when little comes, and large again", async () => {
    const { read } = await useReads();
    const large = await read("x");
    let last = large;
    for (let i = 0; i < 40; i++) last = await read("x");
    expect(last.buffer.byteLength).toBeLessThan(large.buffer.byteLength);
    let got = 0;
    await new Promise<void>((resolve) => {
      void read("y".repeat(1_000_000), (chunk) => {
        got += chunk.length;
        last = chunk;
        letGo(chunk);
        if (got === 1_000_000) resolve();
      });
    });
    expect(last.buffer.byteLength).toBe(large.buffer.byteLength);
  });
});

describe("what was written", () => {
  it("is out only when nothing queues", async () => {
    const { near } = await useReads();
    near.write("x");
    expect(isWritten(near)).toBe(true);
    near.write(Buffer.alloc(50_000_000));
    expect(isWritten(near)).toBe(false);
  });
});
