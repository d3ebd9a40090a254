import { once } from "node:events";
import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { afterAll, describe, expect, it } from "vitest";
import {
  Client,
  type ClientChannel,
  type Connection,
  type ServerChannel,
} from "ssh2";
import { pingServer } from "./inside-ssh2.ts";
import { createSandbox } from "./testing/sandbox.ts";
import { connectPair, ssh2Server, watchEvents } from "./testing/ssh2-pair.ts";
import { tameChannel } from "./tame-channel.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

const tame = (channel: ClientChannel): void => {
  tameChannel(channel, "connection");
  channel.on("error", () => {});
  channel.on("close", () => closedStreams.add(channel));
};
const MIB = 1024 * 1024;

describe("a forwarded connection", () => {
  const open = async (between?: (port: number) => Promise<number>) => {
    const pair = await connectPair(sandbox, between);
    return { ...pair, ...(await pair.forward(tame)) };
  };

  it("is half-closed by end(), either end first", async () => {
    const { near, far } = await open();
    const events = watchEvents(near);
    near.end("from near");
    expect(await text(far)).toBe("from near");
    far.write("after the end of near");
    far.eof();
    expect(await text(near)).toBe("after the end of near");
    await closed(near);
    expect(events).toEqual(["end", "close"]);
  });

  it("goes on when the peer has ended", async () => {
    const { near, far } = await open();
    far.eof();
    expect(await text(near)).toBe("");
    near.end("still here");
    expect(await text(far)).toBe("still here");
    await closed(near);
  });

  it("hands all out that the peer sent before its close, however late it is read", async () => {
    const { near, far } = await open();
    far.resume();
    far.end(Buffer.alloc(MIB, 1));
    await once(far, "close");
    let received = 0;
    near.on("data", (chunk: Buffer) => (received += chunk.length));
    await finished(near, { writable: false });
    expect(received).toBe(MIB);
  });

  it("closes without an end when the peer closes without one", async () => {
    const { near, far } = await open();
    const events = watchEvents(near);
    const whole = finished(near);
    whole.catch(() => {});
    const first = once(near, "data");
    far.write("half a message");
    expect(String((await first)[0])).toBe("half a message");
    far.close();
    await closed(near);
    expect(events).toEqual(["close"]);
    await expect(whole).rejects.toMatchObject({
      code: "ERR_STREAM_PREMATURE_CLOSE",
    });
  });

  it("closes while paused, when the peer aborts with bytes unread", async () => {
    const { near, far } = await open();
    const events = watchEvents(near);
    far.write("unread");
    far.close();
    await closed(near);
    expect(events).toEqual(["close"]);
  });

  it("ends and closes though nobody reads, when there is nothing to read", async () => {
    const { near, far } = await open();
    const events = watchEvents(near);
    far.end();
    await closed(near);
    expect(events).toEqual(["end", "close"]);
  });

  it("closes at once by destroy(), once, and tells the peer", async () => {
    const { near, far, server } = await open();
    const events = watchEvents(near);
    far.write("unread");
    near.destroy();
    await closed(near);
    expect(near.destroyed).toBe(true);
    expect(near.closed).toBe(true);
    far.resume();
    await once(far, "close");
    await roundTrip(server);
    near.destroy();
    expect(events).toEqual(["close"]);
  });

  it("reports the error that destroy() is given, then the close", async () => {
    const { near } = await open();
    const events = watchEvents(near);
    const reason = new Error("no more");
    const error = once(near, "error");
    // As a Duplex: ssh2's types know of no error.
    const stream: Duplex = near;
    stream.destroy(reason);
    expect((await error)[0]).toBe(reason);
    await closed(near);
    expect(events).toEqual(["error", "close"]);
  });

  it("emits no data after destroy()", async () => {
    const { near, far, server } = await open();
    const seen: string[] = [];
    near.on("data", (chunk: Buffer) => seen.push(String(chunk)));
    far.write("in time");
    await once(near, "data");
    near.destroy();
    far.write("too late");
    await roundTrip(server);
    expect(seen).toEqual(["in time"]);
  });

  it("closes though the peer has gone silent", async () => {
    const relays: { cut(): void }[] = [];
    const { near } = await open(async (port) => {
      const relay = await sandbox.relay(port);
      relays.push(relay);
      return relay.port;
    });
    const events = watchEvents(near);
    relays[0]!.cut();
    near.destroy();
    await closed(near);
    expect(events).toEqual(["close"]);
  });

  it("queues little on top of the window of a peer that reads nothing", async () => {
    const { near, far } = await open();
    far.pause();
    while (near.write(Buffer.alloc(64 * 1024)));
    expect(near.writableLength).toBeLessThan(MIB / 2);
  });

  it("grants no more window while nobody reads what came", async () => {
    const { client, near, far } = await open();
    near.pause();
    far.write(Buffer.alloc(8 * MIB));
    let length = -1;
    while (near.readableLength > length) {
      length = near.readableLength;
      // What window there was is used up before the answer.
      await new Promise<void>((resolve) => pingServer(client, resolve));
    }
    // The window of RFC 4254 section 5.2 that ssh2 opens with.
    expect(length).toBe(2 * MIB);
  });

  it("fails a write that waits for the peer's window when it is destroyed", async () => {
    const { near } = await open();
    const written = new Promise<Error | null | undefined>((resolve) =>
      near.write(Buffer.alloc(3 * MIB), resolve),
    );
    const queued = new Promise<Error | null | undefined>((resolve) =>
      near.write("behind it", resolve),
    );
    near.destroy();
    expect(await written).toMatchObject({ code: "EPIPE" });
    expect(await queued).toBeInstanceOf(Error);
  });

  it("fails a write that waits for the peer's window when the peer closes", async () => {
    const { near, far } = await open();
    const written = new Promise<Error | null | undefined>((resolve) =>
      near.write(Buffer.alloc(3 * MIB), resolve),
    );
    far.close();
    expect(await written).toMatchObject({ code: "EPIPE" });
    await closed(near);
  });

  it("fails a write after its close", async () => {
    const { near, far } = await open();
    far.close();
    await closed(near);
    const error = await new Promise((resolve) => near.write("late", resolve));
    expect(error).toBeInstanceOf(Error);
  });

  it("closes without an end when the connection is lost, and can be destroyed after", async () => {
    const { near, socket } = await open();
    const events = watchEvents(near);
    socket.destroy();
    await closed(near);
    expect(events).toEqual(["close"]);
    expect(() => near.destroy()).not.toThrow();
  });

  it("can be destroyed for the first time when the connection is long lost", async () => {
    const { forward, socket } = await open();
    const { near } = await forward(() => {});
    const lost = once(socket, "close");
    socket.destroy();
    await lost;
    tame(near);
    expect(() => near.destroy()).not.toThrow();
  });

  it("leaves nothing behind: 200 aborts, from either side", async () => {
    const { client, server, forward, near } = await open();
    for (let i = 0; i < 200; i++) {
      const pair = await forward(tame);
      const gone = closed(pair.near);
      pair.far.write("x");
      if (i % 2) pair.far.close();
      else pair.near.destroy();
      await gone;
    }
    await roundTrip(server);
    const { _chanMgr: manager } = client as unknown as {
      _chanMgr: { _count: number };
    };
    expect(manager._count).toBe(1);
    near.destroy();
  });
});

describe("a command", () => {
  const run = async (behave: (channel: ServerChannel) => void) => {
    const port = await ssh2Server(sandbox, (connection) => {
      connection.on("authentication", (context) => context.accept());
      connection.on("session", (accept) =>
        accept().on("exec", (acceptExec) => behave(acceptExec())),
      );
    });
    const client = new Client();
    sandbox.defer(() => client.destroy());
    client.on("error", () => {});
    client.connect({
      host: "127.0.0.1",
      port,
      username: "test",
      password: "test",
    });
    await once(client, "ready");
    return new Promise<{ channel: ClientChannel; events: string[] }>(
      (resolve, reject) =>
        client.exec("x", (error, channel) => {
          if (error) return reject(error);
          tameChannel(channel, "command");
          channel.on("error", () => {});
          channel.on("close", () => closedStreams.add(channel));
          const events = watchEvents(channel);
          channel.on("exit", (code: unknown) =>
            events.push(`exit ${String(code)}`),
          );
          resolve({ channel, events });
        }),
    );
  };

  it("ends when the server closes it without an end, as Go's servers do", async () => {
    const { channel, events } = await run((far) => {
      far.write("output");
      far.exit(0);
      far.close();
    });
    expect(await text(channel)).toBe("output");
    await closed(channel);
    expect(events).toEqual(["exit 0", "end", "close"]);
  });

  it("closes at once when it is destroyed", async () => {
    const { channel, events } = await run(() => {});
    channel.destroy();
    await closed(channel);
    expect(events).toEqual(["close"]);
  });
});

const text = async (stream: NodeJS.ReadableStream): Promise<string> => {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "end");
  return Buffer.concat(chunks).toString();
};

// Not stream.closed: that one is set when destroy() is called.
const closedStreams = new WeakSet<object>();
const closed = async (stream: ClientChannel): Promise<void> => {
  if (!closedStreams.has(stream)) await once(stream, "close");
};

/** Waits until all that was sent in either direction has been read: a request and its answer come after it. */
async function roundTrip(server: Connection): Promise<void> {
  await new Promise<void>((resolve) =>
    server.forwardOut("127.0.0.1", 9, "192.0.2.1", 1, () => resolve()),
  );
  await new Promise(setImmediate);
}
