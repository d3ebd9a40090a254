import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Duplex } from "node:stream";
import { EdgeError } from "../../errors.ts";
import type { IngressSession } from "../ingress.ts";
import {
  createPromise,
  hasClosed,
  useIngress,
  usePort,
} from "./ingress.fixture.ts";
import type { OpensshIngressOptions } from "./options.ts";

const visitor = { address: "192.0.2.7", port: 4711 };

afterEach(() => {
  vi.useRealTimers();
});

async function useSession(
  options: Partial<OpensshIngressOptions> = {},
): Promise<IngressSession> {
  const test = useIngress(options);
  await test.ingress.start();
  return (await test.enter("alice")).session;
}

async function readBytes(stream: Duplex, count: number): Promise<string> {
  let text = "";
  while (text.length < count) {
    const chunk = (await once(stream, "data"))[0] as Buffer;
    text += chunk.toString("latin1");
  }
  return text;
}

const refusal = (reason: string) =>
  expect.objectContaining({
    code: "forward-failed",
    message: expect.stringContaining(reason) as unknown,
  });

describe("a connection with the right proof", () => {
  it("carries the edge's proof first, in one packet with what the edge says first", async () => {
    const session = await useSession();
    const seen: Socket[] = [];
    const port = await usePort((socket) => {
      seen.push(socket);
      socket.write(session.proof!.client);
    });
    const { stream, link } = await session.forward(port)!.connect(visitor);
    expect(stream.writableLength).toBe(32);
    stream.write("GET / HTTP/1.1\r\n\r\n");
    const [first] = (await once(seen[0]!, "data")) as [Buffer];
    expect(String(first)).toBe(`${session.proof!.edge}GET / HTTP/1.1\r\n\r\n`);
    expect(link).toBeUndefined();
  });

  it("carries the edge's proof alone when the edge has nothing to say yet", async () => {
    const session = await useSession();
    const seen: Socket[] = [];
    const port = await usePort((socket) => {
      seen.push(socket);
      socket.write(session.proof!.client);
    });
    await session.forward(port)!.connect(visitor);
    expect(await readBytes(seen[0]!, 32)).toBe(session.proof!.edge);
  });

  it("gives what the client sent behind its proof to whoever reads first", async () => {
    const session = await useSession();
    const port = await usePort((socket) => {
      socket.end(`${session.proof!.client}220 ready\r\n`);
    });
    const { stream } = await session.forward(port)!.connect(visitor);
    expect(await readBytes(stream, 11)).toBe("220 ready\r\n");
    await once(stream, "end");
  });

  it("is put together from single bytes", async () => {
    const session = await useSession();
    const port = await usePort((socket) => {
      void sendSlowly(socket, `${session.proof!.client}x`);
    });
    const { stream } = await session.forward(port)!.connect(visitor);
    expect(await readBytes(stream, 1)).toBe("x");

    async function sendSlowly(socket: Socket, text: string): Promise<void> {
      socket.setNoDelay(true);
      for (const byte of text)
        await new Promise((resolve) => socket.write(byte, resolve));
    }
  });

  it("ends each direction by itself", async () => {
    const session = await useSession();
    const seen: Socket[] = [];
    const port = await usePort((socket) => {
      seen.push(socket);
      socket.write(session.proof!.client);
    });
    const { stream } = await session.forward(port)!.connect(visitor);
    stream.end("bye");
    const client = seen[0]!;
    expect(await readBytes(client, 35)).toBe(`${session.proof!.edge}bye`);
    if (!client.readableEnded) await once(client, "end");
    client.end("late");
    expect(await readBytes(stream, 4)).toBe("late");
  });

  it("that is reset while nobody listens does not end the process", async () => {
    const session = await useSession();
    const seen: Socket[] = [];
    const port = await usePort((socket) => {
      seen.push(socket);
      socket.write(session.proof!.client);
    });
    const { stream } = await session.forward(port)!.connect(visitor);
    expect(stream.listenerCount("error")).toBeGreaterThan(0);
    seen[0]!.resetAndDestroy();
    await hasClosed(stream as Socket);
  });
});

describe("a connection without the right proof", () => {
  it.each([
    ["another session's proof", "x".repeat(32)],
    ["a banner", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"],
    ["the proof behind a byte", "PROOF"],
  ])("gets nothing when it says %s", async (_, text) => {
    const session = await useSession();
    const received: Buffer[] = [];
    const ended = createPromise<void>();
    const port = await usePort((socket) => {
      socket.on("data", (chunk) => received.push(chunk));
      socket.once("close", () => ended.resolve(undefined));
      socket.once("end", () => socket.destroy());
      socket.write(text.replace("PROOF", ` ${session.proof!.client}`));
    });
    await expect(session.forward(port)!.connect(visitor)).rejects.toEqual(
      refusal("does not know the secret"),
    );
    await ended.promise;
    expect(Buffer.concat(received)).toHaveLength(0);
  });

  it.each([
    ["at once", ""],
    ["in the middle of it", "half"],
  ])("fails when the client closes %s", async (_, text) => {
    const session = await useSession();
    const port = await usePort((socket) => {
      socket.end(text && session.proof!.client.slice(0, 16));
    });
    const connecting = session.forward(port)!.connect(visitor);
    await expect(connecting).rejects.toEqual(
      refusal(text ? "does not know the secret" : "closed the connection"),
    );
  });

  it("fails when it says nothing for five seconds, and gets nothing", async () => {
    const session = await useSession();
    const accepted = createPromise<Socket>();
    const port = await usePort((socket) => accepted.resolve(socket));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const connecting = session.forward(port)!.connect(visitor);
    const failure = connecting.catch((error: unknown) => error);
    const socket = await accepted.promise;
    let bytes = 0;
    socket.on("data", (chunk) => (bytes += chunk.length));
    vi.advanceTimersByTime(4_999);
    expect(session.forward(port)!.closed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await failure).toEqual(refusal("in time"));
    await once(socket, "end");
    expect(bytes).toBe(0);
  });

  it("fails where nothing listens", async () => {
    const session = await useSession();
    const port = await usePort(() => {});
    // The port after a listener's own is free for now, or refuses the proof.
    await expect(
      session.forward(port === 65_535 ? port - 1 : port + 1)!.connect(visitor),
    ).rejects.toBeInstanceOf(EdgeError);
  });
});

describe("ports", () => {
  it.each([1, 22, 80, 1023])("below 1024 lead nowhere: %i", async (port) => {
    const session = await useSession();
    expect(session.forward(port)).toBeUndefined();
  });

  it("of the edge itself lead nowhere, those included that it opens later", async () => {
    const own = new Set<number>();
    const session = await useSession({ ownPorts: () => own });
    expect(session.forward(7781)).toBeDefined();
    own.add(7781);
    expect(session.forward(7781)).toBeUndefined();
  });

  it.runIf(process.platform === "linux")(
    "that another account listens on are not even dialled",
    async () => {
      // Nobody runs tests as the account of nobody, so the listener is a foreign one.
      const session = await useSession({ account: "nobody" });
      let connections = 0;
      const port = await usePort((socket) => {
        connections++;
        socket.write(session.proof!.client);
      });
      await expect(session.forward(port)!.connect(visitor)).rejects.toEqual(
        refusal("not sshd's"),
      );
      expect(connections).toBe(0);
    },
  );

  it("are one forward each, however often they are asked for", async () => {
    const session = await useSession();
    expect(session.forward(5000)).toBe(session.forward(5000));
    expect(session.forward(5000)!.port).toBe(5000);
  });
});

describe("the end of a session", () => {
  it("destroys its connections, proven or not, and closes its forwards", async () => {
    const session = await useSession();
    const silent = await usePort(() => {});
    const port = await usePort((socket) => socket.write(session.proof!.client));
    const forward = session.forward(port)!;
    const closed = vi.fn<() => void>();
    const forgotten = vi.fn<() => void>();
    forward.onceClosed(closed);
    forward.onceClosed(forgotten)();
    const { stream } = await forward.connect(visitor);
    const waiting = session.forward(silent)!.connect(visitor);
    const failure = waiting.catch((error: unknown) => error);
    session.end();
    await hasClosed(stream as Socket);
    expect(await failure).toBeInstanceOf(EdgeError);
    expect(forward.closed).toBe(true);
    expect(closed).toHaveBeenCalledOnce();
    expect(forgotten).not.toHaveBeenCalled();
    await expect(forward.connect(visitor)).rejects.toEqual(refusal("ended"));
    forward.onceClosed(closed);
    expect(closed).toHaveBeenCalledTimes(2);
    expect(session.forward(port)).toBeUndefined();
  });

  it("comes with the end of its control socket", async () => {
    const test = useIngress();
    await test.ingress.start();
    const { client, session } = await test.enter("alice");
    const ended = new Promise<void>((resolve) => session.onceEnded(resolve));
    session.control.resume();
    client.end();
    await ended;
  });
});

it("a session has as many connections as it may have, and one more when one has closed", async () => {
  const session = await useSession({ limits: { maxConnectionsPerSession: 2 } });
  const port = await usePort((socket) => socket.write(session.proof!.client));
  const forward = session.forward(port)!;
  const { stream } = await forward.connect(visitor);
  await forward.connect(visitor);
  await expect(forward.connect(visitor)).rejects.toEqual(
    refusal("as many connections"),
  );
  stream.destroy();
  await hasClosed(stream as Socket);
  await forward.connect(visitor);
});
