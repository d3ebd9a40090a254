// Two streams joined: what passes, what ends, and what is left behind (nothing).
import { once } from "node:events";
import net from "node:net";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { join, type JoinResult, type LinkPressure } from "./join.ts";

// More than may pass while the link is full.
const MUCH = Buffer.alloc(16 * 1024, "1");

test("bytes pass both ways unchanged, whatever the chunks and the buffers", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 64 }),
      async (there, back, highWaterMark) => {
        const a = new Peer(highWaterMark);
        const b = new Peer(highWaterMark);
        const result = whenJoined(a, b);
        a.says(...there);
        b.says(...back);
        a.ends();
        b.ends();
        expect(await result).toEqual({
          bytesAToB: b.heard.length,
          bytesBToA: a.heard.length,
        });
        expect(b.heard).toEqual(Buffer.concat(there));
        expect(a.heard).toEqual(Buffer.concat(back));
        expect([a.destroyed, b.destroyed]).toEqual([true, true]);
      },
    ),
    { numRuns: 200 },
  );
});

test("the end of one direction is passed on and the other direction goes on", async () => {
  const { near, far, result } = await useJoinedSockets();
  near.end("request");
  expect(await textOf(far)).toBe("request");
  far.end("response");
  expect(await textOf(near)).toBe("response");
  expect(await result).toEqual({ bytesAToB: 7, bytesBToA: 8 });
});

test("an end that came before the join is passed on", async () => {
  const a = new Peer();
  const b = new Peer();
  b.ends();
  b.resume();
  await once(b, "end");
  const result = whenJoined(a, b);
  await once(a, "finish");
  a.says(Buffer.from("answer"));
  a.ends();
  expect(await result).toEqual({ bytesAToB: 6, bytesBToA: 0 });
  expect(b.heard.toString()).toBe("answer");
});

test("a side that was closed before the join takes the other with it", async () => {
  const a = new Peer();
  const b = new Peer();
  b.destroy();
  await once(b, "close");
  expect(await whenJoined(a, b)).toMatchObject({ error: expect.any(Error) });
  expect(a.destroyed).toBe(true);
});

test("a reset of one side takes the other with it, and is reported", async () => {
  const { near, far, result } = await useJoinedSockets();
  near.write("half a requ");
  await once(far, "data");
  near.resetAndDestroy();
  expect(await result).toMatchObject({ error: { code: "ECONNRESET" } });
  await textOf(far);
});

test("a side that vanishes without an end is reported, and the other is cut without one", async () => {
  const a = new Peer();
  const b = new Peer();
  const result = whenJoined(a, b);
  a.says(Buffer.from("half"));
  await expect.poll(() => b.heard.toString()).toBe("half");
  a.destroy();
  expect(await result).toMatchObject({
    bytesAToB: 4,
    error: expect.any(Error),
  });
  expect(b.writableFinished).toBe(false);
  expect(b.destroyed).toBe(true);
});

test("an answer that is complete is handed on although the other direction breaks", async () => {
  // An upload that the upstream refuses early: it answers, ends and resets, while the visitor's line is still busy
  // with the answer.
  const upstream = new Peer();
  const channel = new Peer();
  channel.stall();
  const result = whenJoined(upstream, channel);
  upstream.says(Buffer.from("413, "), Buffer.from("and why"));
  upstream.ends();
  await once(upstream, "end");
  channel.says(Buffer.from("more of the upload"));
  upstream.destroy(new Error("write EPIPE"));
  await expect.poll(() => upstream.closed).toBe(true);
  expect(channel.destroyed).toBe(false);
  channel.unstall();
  expect(await result).toMatchObject({ error: { message: "write EPIPE" } });
  expect(channel.heard.toString()).toBe("413, and why");
});

test("what a side said before it ended and closed still reaches a slow reader", async () => {
  const upstream = new Peer(1);
  upstream.stall();
  const channel = new Peer();
  const result = whenJoined(upstream, channel);
  channel.says(Buffer.from("one "), Buffer.from("shot"));
  channel.ends();
  await expect.poll(() => upstream.writableLength).toBeGreaterThan(0);
  upstream.unstall();
  await once(upstream, "finish");
  channel.destroy();
  expect(await result).toMatchObject({ bytesBToA: 8 });
  expect(upstream.heard.toString()).toBe("one shot");
});

test("a slow reader pauses the other side, in both directions", async () => {
  for (const turn of [false, true]) {
    const slow = new Peer(10);
    const fast = new Peer(10);
    slow.stall();
    const result = turn ? whenJoined(slow, fast) : whenJoined(fast, slow);
    for (let i = 0; i < 100; i++) fast.says(Buffer.alloc(10, i));
    await expect.poll(() => fast.isPaused()).toBe(true);
    expect(slow.writableLength).toBeLessThanOrEqual(20);
    slow.unstall();
    fast.ends();
    slow.ends();
    await result;
    expect(slow.heard).toHaveLength(1_000);
  }
});

test("reads wait while the link is full, and go on when it has drained", async () => {
  const link = new Link();
  const a = new Peer();
  const b = new Peer(10);
  const result = whenJoined(a, b, link);
  link.full = true;
  a.says(MUCH, Buffer.from("2"), Buffer.from("3"));
  await expect.poll(() => link.waiting).toBe(1);
  expect(b.heard).toHaveLength(MUCH.length);
  expect(a.isPaused()).toBe(true);
  link.drain();
  await expect.poll(() => b.heard.subarray(MUCH.length).toString()).toBe("23");

  // Both at once: the stream's own buffer is full, and then the link.
  link.full = true;
  b.stall();
  a.says(Buffer.alloc(20, "x"), Buffer.from("y"));
  await expect.poll(() => b.writableLength).toBe(20);
  b.unstall();
  await expect.poll(() => link.waiting).toBe(1);
  expect(a.isPaused()).toBe(true);
  link.drain();
  a.ends();
  b.ends();
  await result;
  expect(b.heard).toHaveLength(MUCH.length + 23);
});

test("who says little while the link is full does not wait, until it has become much", async () => {
  const link = new Link();
  const a = new Peer();
  const b = new Peer();
  void whenJoined(a, b, link);
  link.full = true;
  const little = Buffer.alloc(1_000, "x");
  for (let said = 0; said < 16_000; said += little.length) {
    a.says(little);
    await expect.poll(() => b.heard.length).toBe(said + little.length);
  }
  expect(link.waiting).toBe(0);
  a.says(little);
  await expect.poll(() => link.waiting).toBe(1);
  link.drain();
  link.full = true;
  a.says(little);
  await expect.poll(() => b.heard.length).toBe(18_000);
  expect(link.waiting).toBe(0);
});

test("a link that closes while reads wait leaves nothing open", async () => {
  const link = new Link();
  const a = new Peer();
  const b = new Peer();
  const result = whenJoined(a, b, link);
  link.full = true;
  a.says(MUCH, Buffer.from("2"));
  await expect.poll(() => link.waiting).toBe(1);
  b.destroy();
  link.drain();
  expect(await result).toMatchObject({ error: expect.any(Error) });
});

// ssh2's channels (lib/Channel.js, lib/utils.js) differ from other streams in ways that leak connections: `destroy()`
// is an end and a CLOSE, `close` waits until everything was read, and only we can ask for the CLOSE of a client's one.
test("a library channel is told to close when both directions have ended", async () => {
  const upstream = new Peer();
  const channel = new LibraryChannel();
  const result = whenJoined(upstream, channel);
  upstream.ends();
  channel.peerSays("hello");
  channel.peerEnds();
  expect(await result).toEqual({ bytesAToB: 0, bytesBToA: 5 });
  expect(channel.log).toEqual(["eof", "close"]);
});

test("a library channel that was paused by a slow upstream is closed when the upstream fails", async () => {
  const upstream = new Peer(1);
  upstream.stall();
  const channel = new LibraryChannel();
  const result = whenJoined(upstream, channel);
  channel.peerSays("12");
  channel.peerSays("34");
  await expect.poll(() => channel.isPaused()).toBe(true);
  upstream.destroy(new Error("gone"));
  expect(await result).toMatchObject({ error: { message: "gone" } });
  expect(channel.log).toContain("close");
});

test("a visitor's abort reaches an upstream that reads nothing", async () => {
  const upstream = new Peer(1);
  upstream.stall();
  const channel = new LibraryChannel();
  const result = whenJoined(upstream, channel);
  channel.peerSays("12");
  channel.peerSays("34");
  await expect.poll(() => channel.isPaused()).toBe(true);
  channel.peerCloses();
  expect(await result).toMatchObject({ error: expect.any(Error) });
  expect(upstream.destroyed).toBe(true);
});

test("an upstream that speaks to a channel which its library has ended causes no second error", async () => {
  const upstream = new Peer();
  const channel = new LibraryChannel();
  const result = whenJoined(upstream, channel);
  channel.peerCloses();
  upstream.says(Buffer.from("too late"));
  const { error } = await result;
  expect(error?.message).toBe("A stream closed before both had ended.");
});

test("listeners and streams are left alone until both have closed, and done comes once", async () => {
  const a = new Peer();
  const b = new Peer();
  let calls = 0;
  join(a, b, undefined, () => calls++);
  a.destroy(new Error("first"));
  a.emit("error", new Error("second"));
  b.destroy(new Error("third"));
  await expect.poll(() => calls).toBe(1);
  a.emit("close");
  b.emit("close");
  expect(calls).toBe(1);
});

function whenJoined(
  a: Duplex,
  b: Duplex,
  link?: LinkPressure,
): Promise<JoinResult> {
  onTestFinished(() => {
    a.destroy();
    b.destroy();
  });
  return new Promise((resolve) => join(a, b, link, resolve));
}

/** A stream whose other end is the test itself. */
class Peer extends Duplex {
  heard = Buffer.alloc(0);
  #stalled = false;
  #waiting: (() => void) | undefined;

  constructor(highWaterMark = 16_384) {
    super({ highWaterMark });
  }

  says(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) if (chunk.length > 0) this.push(chunk);
  }

  ends(): void {
    this.push(null);
  }

  stall(): void {
    this.#stalled = true;
  }

  unstall(): void {
    this.#stalled = false;
    this.#waiting?.();
  }

  override _read(): void {}

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: () => void,
  ): void {
    const take = () => {
      this.heard = Buffer.concat([this.heard, chunk]);
      callback();
    };
    if (this.#stalled) this.#waiting = take;
    else setImmediate(take);
  }
}

/** A channel that behaves as ssh2's do on the client's side. */
class LibraryChannel extends Duplex {
  readonly log: string[] = [];
  #open = true;

  constructor() {
    super({ emitClose: false, highWaterMark: 1_024 });
    this.on("prefinish", () => {
      if (!this.log.includes("close")) this.log.push("eof");
    });
  }

  peerSays(text: string): void {
    this.push(text);
  }

  peerEnds(): void {
    this.push(null);
  }

  /** CHANNEL_CLOSE arrives. */
  peerCloses(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.readableEnded) this.emit("close");
    else this.once("end", () => this.emit("close"));
    this.push(null);
    this.end();
  }

  override destroy(): this {
    this.end();
    if (!this.log.includes("close")) {
      this.log.push("close");
      setImmediate(() => this.peerCloses());
    }
    return this;
  }

  override _read(): void {}

  override _write(
    _chunk: Buffer,
    _encoding: BufferEncoding,
    callback: () => void,
  ): void {
    // The library forgets the callback of what is written to a closed channel.
    if (this.#open) callback();
  }
}

class Link implements LinkPressure {
  full = false;
  #callbacks: (() => void)[] = [];

  get waiting(): number {
    return this.#callbacks.length;
  }

  isFull(): boolean {
    return this.full;
  }

  onceDrained(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  drain(): void {
    this.full = false;
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

/** `near` and `far` are the outer ends of two TCP connections whose inner ends are joined. */
async function useJoinedSockets() {
  const inner: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) =>
    inner.push(socket),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const connect = async () => {
    const socket = net.connect({
      port,
      host: "127.0.0.1",
      allowHalfOpen: true,
    });
    const count = inner.length;
    await once(socket, "connect");
    await expect.poll(() => inner.length).toBe(count + 1);
    return socket;
  };
  const near = await connect();
  const far = await connect();
  const result = whenJoined(inner[0]!, inner[1]!);
  onTestFinished(async () => {
    near.destroy();
    far.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { near, far, result };
}

async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "end");
  return Buffer.concat(chunks).toString();
}
