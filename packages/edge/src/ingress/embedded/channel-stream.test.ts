// Connections through a forward must behave like sockets, whatever ssh2 makes of its channels.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Client, ClientChannel } from "ssh2";
import { describe, expect, it, vi } from "vitest";
import {
  closeOf,
  fence,
  useControlForward,
  useEmbeddedIngress,
  useSsh2Client,
  type EmbeddedUnderTest,
  type TestForward,
} from "./test-support.ts";
import { useSshKey } from "../../../../../test/harness/openssh-client.ts";
import type { EmbeddedLimits } from "./options.ts";

const visitor = { address: "192.0.2.7", port: 4711 };

describe("a connection through a forward", () => {
  it("tells the client which forward it is for and where the visitor is", async () => {
    const { client, tunnel } = await useForward();
    const details = once(client, "tcp connection");
    await tunnel.connect();
    expect((await details)[0]).toEqual({
      srcIP: "192.0.2.7",
      srcPort: 4711,
      destIP: "127.0.0.1",
      destPort: tunnel.forward.port,
    });
  });

  it("begins paused and loses nothing of what came before it was read", async () => {
    const { client, tunnel } = await useForward();
    const { edge, client: channel } = await tunnel.connect();
    channel.write("early");
    await fence(client);
    expect(edge.stream.readableFlowing).toBe(null);
    expect(edge.stream.readableLength).toBe(5);
    channel.end();
    expect((await readAll(edge.stream)).toString()).toBe("early");
  });

  it("delivers the whole answer after the edge has ended its side", async () => {
    const body = randomBytes(100_000);
    const { tunnel } = await useForward();
    const { edge, client } = await tunnel.connect();
    edge.stream.end("request");
    expect((await readAll(client)).toString()).toBe("request");
    expect(edge.stream.destroyed).toBe(false);
    client.end(body);
    expect((await readAll(edge.stream)).equals(body)).toBe(true);
    await closeOf(edge.stream);
  });

  it("takes the whole request after the client has ended its side", async () => {
    const body = randomBytes(100_000);
    const { tunnel } = await useForward();
    const { edge, client } = await tunnel.connect();
    client.end("answer");
    expect((await readAll(edge.stream)).toString()).toBe("answer");
    expect(edge.stream.destroyed).toBe(false);
    edge.stream.end(body);
    expect((await readAll(client)).equals(body)).toBe(true);
    await closeOf(edge.stream);
  });

  it("closes the channel when both sides have ended, not before, and frees it", async () => {
    const { client, tunnel, channels } = await useForward();
    const connection = await tunnel.connect();
    const { stream } = connection.edge;
    const closes = countCloses(stream);
    const before = channels();
    stream.resume().end();
    await once(connection.client.resume(), "end");
    await fence(client);
    expect([channels(), stream.destroyed]).toEqual([before, false]);
    connection.client.end();
    await closeOf(stream);
    await connection.clientClosed;
    await fence(client);
    expect([channels(), closes()]).toEqual([before - 1, 1]);
  });

  it("carries 20 MB each way at the same time", async () => {
    const { tunnel } = await useForward();
    const { edge, client } = await tunnel.connect();
    const up = randomBytes(20_000_000);
    const down = randomBytes(20_000_000);
    edge.stream.end(up);
    client.end(down);
    const [gotUp, gotDown] = await Promise.all([
      readAll(client),
      readAll(edge.stream),
    ]);
    expect(gotUp.equals(up)).toBe(true);
    expect(gotDown.equals(down)).toBe(true);
  });

  it("buffers no more than the window that it started with for a reader that stands still", async () => {
    const { client, tunnel } = await useForward();
    const { edge, client: channel } = await tunnel.connect();
    const body = randomBytes(12_000_000);
    channel.end(body);
    let buffered = -1;
    while (edge.stream.readableLength !== buffered) {
      buffered = edge.stream.readableLength;
      await fence(client);
    }
    expect(buffered).toBe(1024 ** 2);
    expect((await readAll(edge.stream)).equals(body)).toBe(true);
  });
});

describe("an idle connection through a forward", () => {
  // Half a kilobyte each, as soon as somebody defines or deletes what V8 has no shape for.
  it("makes no dictionary of anything that each channel or SSH connection has", async () => {
    const { tunnel } = await useForward();
    const { stream } = (await tunnel.connect()).edge;
    const channel = stream as unknown as {
      _events: object;
      _client: { _protocol: { _handlers: object; _kex: object } };
    };
    const { _protocol: protocol } = channel._client;
    const objects = {
      stream,
      listeners: channel._events,
      protocol,
      handlers: protocol._handlers,
      kex: protocol._kex,
    };
    for (const [name, object] of Object.entries(objects))
      expect([name, hasShape(object)]).toEqual([name, true]);
    expect(hasShape({ __proto__: null })).toBe(false);
  });

  it("has no second writing side, and no keys of a key exchange", async () => {
    const { tunnel } = await useForward();
    const { stream } = (await tunnel.connect()).edge;
    const { stderr, _client: client } = stream as unknown as {
      stderr: Duplex;
      _client: { _protocol: { _kex: { _keys: unknown } } };
    };
    expect([stderr.writable, stderr.destroyed]).toEqual([false, true]);
    expect(client._protocol._kex._keys).toBe(null);
  });
});

describe("destroy()", () => {
  it("ends both ways at once, and close follows on a paused stream", async () => {
    const { client, tunnel } = await useForward();
    const connection = await tunnel.connect();
    const { stream } = connection.edge;
    connection.client.write("never read");
    await fence(client);
    const closes = countCloses(stream);
    stream.destroy();
    await closeOf(stream);
    connection.client.resume();
    await connection.clientClosed;
    await fence(client);
    expect(closes()).toBe(1);
  });

  it("hands on an error to whoever listens", async () => {
    const { tunnel } = await useForward();
    const { edge } = await tunnel.connect();
    const failed = once(edge.stream, "error");
    edge.stream.destroy(new Error("enough"));
    expect(await failed).toMatchObject([{ message: "enough" }]);
  });

  it("calls back every write that waited for the client's window", async () => {
    const { tunnel } = await useForward();
    const { edge } = await tunnel.connect();
    const outcomes: string[] = [];
    const called = [1, 2, 3].map(
      (n) =>
        new Promise<void>((resolve) => {
          edge.stream.write(Buffer.alloc(1_500_000), (error) => {
            outcomes.push(`${n} ${error ? "failed" : "sent"}`);
            resolve();
          });
        }),
    );
    await called[0];
    edge.stream.destroy();
    await Promise.all(called);
    expect(outcomes).toEqual(["1 sent", "2 failed", "3 failed"]);
  });

  it("counts a channel that the client never closes, and ignores what still comes on it", async () => {
    const { client, tunnel, channels } = await useForward();
    const { edge, client: channel } = await tunnel.connect();
    // A hostile client: it answers no close.
    const inner = client as unknown as {
      _protocol: { channelClose(id: number): void };
      _chanMgr: { remove(id: number): void };
    };
    inner._protocol.channelClose = () => {};
    inner._chanMgr.remove = () => {};
    const before = channels();
    edge.stream.destroy();
    await closeOf(edge.stream);
    channel.write("more");
    await fence(client);
    expect(channels()).toBe(before);
    expect(edge.stream.readableLength).toBe(0);
    await tunnel.connect();
  });

  it("lets go of what a channel held that the client never closes", async () => {
    const { client, tunnel } = await useForward();
    const inner = client as unknown as {
      _protocol: { channelClose(id: number): void };
    };
    inner._protocol.channelClose = () => {};
    const held = await (async () => {
      const { edge, client: channel } = await tunnel.connect();
      channel.write(Buffer.alloc(1_000_000));
      await fence(client);
      edge.stream.destroy();
      await closeOf(edge.stream);
      return new WeakRef(edge.stream);
    })();
    // A finished promise may still hold on for a turn of the loop.
    await vi.waitUntil(() => {
      collectGarbage();
      return held.deref() === undefined;
    });
    expect(held.deref()).toBeUndefined();
  });
});

describe("a client that closes the channel", () => {
  it("in the middle of its answer causes an error after the data, never an end", async () => {
    const { client, tunnel } = await useForward();
    const { edge, client: channel } = await tunnel.connect();
    channel.write("half an ans");
    channel.close();
    await fence(client);
    let got = "";
    const reading = (async () => {
      for await (const chunk of edge.stream) got += String(chunk);
    })();
    await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(got).toBe("half an ans");
    await closeOf(edge.stream);
    expect(edge.stream.errored).toBeInstanceOf(Error);
  });

  it("without a word closes a paused stream at once", async () => {
    const { tunnel } = await useForward();
    const { edge, client: channel } = await tunnel.connect();
    const failed = once(edge.stream, "error");
    channel.close();
    expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
    await closeOf(edge.stream);
  });

  it("after its end leaves the answer to be read, and swallows what is still written", async () => {
    const { client, tunnel } = await useForward();
    const { edge, client: channel } = await tunnel.connect();
    // More than a window, so that the first write waits.
    const writes = [3_000_000, 10].map(
      (size) =>
        new Promise((resolve) => {
          edge.stream.write(Buffer.alloc(size), (error) =>
            resolve(error ?? "swallowed"),
          );
        }),
    );
    channel.end("answer");
    channel.close();
    await fence(client);
    expect(await Promise.all(writes)).toEqual(["swallowed", "swallowed"]);
    expect((await readAll(edge.stream)).toString()).toBe("answer");
    await closeOf(edge.stream);
  });
});

describe("the end of the connection", () => {
  it("closes paused streams, fails their writes and refuses new ones", async () => {
    const { client, tunnel } = await useForward();
    const { edge } = await tunnel.connect();
    const write = new Promise((resolve) => {
      edge.stream.write(Buffer.alloc(3_000_000), resolve);
    });
    client.destroy();
    await closeOf(edge.stream);
    expect(await write).toBeInstanceOf(Error);
    expect(tunnel.forward.closed).toBe(true);
    await expect(tunnel.forward.connect(visitor)).rejects.toMatchObject({
      code: "forward-failed",
    });
  });

  it("fails a connection that is being opened", async () => {
    const { client, tunnel, channels } = await useForward();
    client.removeAllListeners("tcp connection");
    client.on("tcp connection", () => client.destroy());
    await expect(tunnel.forward.connect(visitor)).rejects.toMatchObject({
      code: "forward-failed",
    });
    expect(channels()).toBe(0);
  });
});

describe("opening a channel", () => {
  it("fails with upstreamDown when the client rejects it", async () => {
    const { client, tunnel, channels } = await useForward();
    const before = channels();
    client.removeAllListeners("tcp connection");
    client.on("tcp connection", (_details, _accept, reject) => reject());
    await expect(tunnel.forward.connect(visitor)).rejects.toMatchObject({
      code: "forward-failed",
      upstreamDown: true,
    });
    expect(channels()).toBe(before);
  });

  it("fails in time when the client does not answer, and a late answer harms nobody", async () => {
    const { client, tunnel, channels } = await useForward({
      channelOpenMs: 50,
    });
    const before = channels();
    client.removeAllListeners("tcp connection");
    let accept: (() => ClientChannel) | undefined;
    client.on("tcp connection", (_details, later) => {
      accept = later;
    });
    await expect(tunnel.forward.connect(visitor)).rejects.toMatchObject({
      code: "forward-failed",
      upstreamDown: false,
    });
    const channel = accept!();
    await new Promise((resolve) => channel.resume().once("close", resolve));
    await fence(client);
    expect(channels()).toBe(before);
  });

  it("meets a cap on the channels of one connection, and succeeds again below it", async () => {
    // The control session is the first.
    const { client, tunnel } = await useForward({ maxChannels: 3 });
    await tunnel.connect();
    const { edge, clientClosed, client: channel } = await tunnel.connect();
    await expect(tunnel.forward.connect(visitor)).rejects.toMatchObject({
      code: "forward-failed",
      upstreamDown: false,
    });
    edge.stream.destroy();
    channel.resume();
    await clientClosed;
    await fence(client);
    await tunnel.connect();
  });
});

describe("the pressure of the link", () => {
  it("is full while the socket is, and wakes everyone when that has drained", async () => {
    const { client, tunnel } = await useForward();
    // Their windows together are more than the kernel buffers on loopback.
    const connections = await Promise.all(
      Array.from({ length: 12 }, () => tunnel.connect()),
    );
    const { link } = connections[0]!.edge;
    expect(link!.isFull()).toBe(false);
    const { _sock: socket } = client as unknown as { _sock: Socket };
    socket.pause();
    for (const { edge } of connections) {
      expect(edge.link).toBe(link);
      edge.stream.write(Buffer.alloc(2_000_000));
    }
    expect(link!.isFull()).toBe(true);
    const drained = Promise.all(
      Array.from(
        { length: 30 },
        () => new Promise<void>((resolve) => link!.onceDrained(resolve)),
      ),
    );
    socket.resume();
    for (const { client: channel } of connections) channel.resume();
    await drained;
    expect(link!.isFull()).toBe(false);
  });

  it("wakes everyone when the connection is lost", async () => {
    const { client, tunnel } = await useForward();
    const connections = await Promise.all(
      Array.from({ length: 12 }, () => tunnel.connect()),
    );
    (client as unknown as { _sock: Socket })._sock.pause();
    for (const { edge } of connections)
      edge.stream.write(Buffer.alloc(2_000_000));
    const { link } = connections[0]!.edge;
    const drained = new Promise<void>((resolve) => link!.onceDrained(resolve));
    client.destroy();
    await drained;
    expect(link!.isFull()).toBe(false);
  });
});

async function useForward(limits: Partial<EmbeddedLimits> = {}): Promise<{
  edge: EmbeddedUnderTest;
  client: Client;
  tunnel: TestForward;
  channels: () => number;
}> {
  const key = useSshKey();
  const edge = await useEmbeddedIngress(key, { limits });
  const client = await useSsh2Client(edge.port, key);
  const tunnel = await useControlForward(edge, client);
  const channels = () => edge.ingress.stats().channels;
  return { edge, client, tunnel, channels };
}

/** Reads to the end. Unlike `for await`, it leaves the stream's other direction alone. */
async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "end");
  return Buffer.concat(chunks);
}

function hasShape(object: object): boolean {
  setFlagsFromString("--allow-natives-syntax");
  const ask = runInNewContext("(object) => %HasFastProperties(object)");
  return (ask as (object: object) => boolean)(object);
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

function countCloses(stream: Duplex): () => number {
  let count = 0;
  stream.on("close", () => count++);
  return () => count;
}
