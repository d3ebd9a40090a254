import { PassThrough, type Duplex } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { EdgeError } from "../errors.ts";
import {
  get,
  request,
  useCannedUpstream,
  useEdge,
  useRawUpstream,
} from "./edge.fixture.ts";
import { defaultHttpLimits, type HttpLimits } from "./limits.ts";
import { Pool, type PoolWaiter } from "./pool.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A pool over streams that nobody is behind; connects are granted one by one. */
function usePool(limits: Partial<HttpLimits> = {}) {
  const pending: ((ok: boolean) => void)[] = [];
  const streams: Duplex[] = [];
  const pool = new Pool({
    limits: { ...defaultHttpLimits, ...limits },
    idleMs: 4_000,
    onBug(error) {
      throw error;
    },
    forward: {
      ...{ port: 1, closed: false, onceClosed: () => () => {} },
      connect: () =>
        new Promise((resolve, reject) => {
          pending.push((ok) => {
            if (!ok) return reject(new EdgeError("forward-failed", "no"));
            const stream = new PassThrough();
            streams.push(stream);
            resolve({ stream, link: undefined });
          });
        }),
    },
  });
  onTestFinished(() => pool.close());
  const settled = (): Promise<void> => new Promise(setImmediate);
  return {
    pool,
    pending,
    streams,
    settled,
    /** Lets the oldest connects finish. */
    async grant(count = 1, ok = true) {
      for (const decide of pending.splice(0, count)) decide(ok);
      await settled();
    },
    async connection(): Promise<UpstreamConnection> {
      const waiter = waitFor();
      const there = pool.take(waiter, "any", 0);
      if (there) return there;
      await this.grant();
      return waiter.got!;
    },
  };
}

interface TestWaiter extends PoolWaiter {
  got: UpstreamConnection | undefined;
  refused: string | undefined;
}

function waitFor(): TestWaiter {
  return {
    got: undefined,
    refused: undefined,
    onConnection(connection) {
      this.got = connection;
    },
    onNoConnection(reason) {
      this.refused = reason;
    },
  };
}

describe("the pool", () => {
  test("uses the connection first that was given back last", async () => {
    const kit = usePool();
    const a = await kit.connection();
    const b = await kit.connection();
    kit.pool.giveBack(a, undefined, 0, 0);
    kit.pool.giveBack(b, undefined, 0, 0);
    expect(kit.pool.take(waitFor(), "any", 0)).toBe(b);
    expect(kit.pool.take(waitFor(), "any", 0)).toBe(a);
  });

  test.each([
    [undefined, 4_000],
    [5, 3_000],
    [60, 4_000],
  ])("with a hint of %s s a connection waits %d ms", async (hint, limit) => {
    const kit = usePool();
    const a = await kit.connection();
    kit.pool.giveBack(a, hint, 0, 0);
    expect(kit.pool.take(waitFor(), "any", limit)).toBe(a);
    kit.pool.giveBack(a, hint, 0, 0);
    expect(kit.pool.take(waitFor(), "any", limit + 1)).toBeUndefined();
    expect(a.usable).toBe(false);
  });

  test("does not keep a connection whose upstream waits for 2 s or less", async () => {
    const kit = usePool();
    const a = await kit.connection();
    kit.pool.giveBack(a, 2, 0, 0);
    expect(a.usable).toBe(false);
  });

  test("sweeps those that have waited too long", async () => {
    const kit = usePool();
    const a = await kit.connection();
    const b = await kit.connection();
    kit.pool.giveBack(a, undefined, 0, 0);
    kit.pool.giveBack(b, undefined, 2_000, 2_000);
    kit.pool.sweep(5_000);
    expect(a.usable).toBe(false);
    expect(kit.pool.take(waitFor(), "any", 5_000)).toBe(b);
  });

  test("counts the time that an answer took as patience of the upstream's, who may have handed it over at once", async () => {
    const kit = usePool();
    const [slow, quick, late] = [
      await kit.connection(),
      await kit.connection(),
      await kit.connection(),
    ];
    kit.pool.giveBack(quick, undefined, 3_000, 3_000);
    kit.pool.giveBack(slow, undefined, 0, 3_000);
    kit.pool.giveBack(late, undefined, 0, 4_001);
    expect(late.usable).toBe(false);
    expect(kit.pool.take(waitFor(), "lively", 3_000)).toBe(quick);
    expect(kit.pool.take(waitFor(), "lively", 3_000)).toBeUndefined();
    expect(kit.pool.take(waitFor(), "any", 3_000)).toBe(slow);
  });

  test("opens a connection for whoever waits rather than give them one whose answer took long", async () => {
    const kit = usePool({ connectionsPerTunnel: 1 });
    const a = await kit.connection();
    const waiter = waitFor();
    kit.pool.take(waiter, "lively", 0);
    kit.pool.giveBack(a, undefined, 0, 1_001);
    expect(waiter.got).toBeUndefined();
    await kit.settled();
    await kit.grant();
    expect(waiter.got).toBeDefined();
    expect(waiter.got).not.toBe(a);
  });

  test("prefers a spare to a connection that waited for more than a second, for what cannot be repeated", async () => {
    const kit = usePool();
    const a = await kit.connection();
    kit.pool.keepSpares(1);
    await kit.grant();
    kit.pool.giveBack(a, undefined, 0, 0);
    expect(kit.pool.take(waitFor(), "lively", 1_000)).toBe(a);
    kit.pool.giveBack(a, undefined, 0, 0);
    const spare = kit.pool.take(waitFor(), "lively", 1_001);
    expect(spare).not.toBe(a);
    expect(spare?.spare).toBe(true);
    // Nothing but the old one: a new one is opened.
    const waiter = waitFor();
    expect(kit.pool.take(waiter, "lively", 1_001)).toBeUndefined();
    await kit.grant();
    expect(waiter.got).toBeDefined();
    // And at the limit the old one serves after all.
    expect(kit.pool.take(waitFor(), "any", 1_001)).toBe(a);
  });

  test("at the limit takes an old connection rather than none", async () => {
    const kit = usePool({ connectionsPerTunnel: 1 });
    const a = await kit.connection();
    kit.pool.giveBack(a, undefined, 0, 0);
    expect(kit.pool.take(waitFor(), "lively", 3_000)).toBe(a);
  });

  test("opens spares in advance and replaces those that are used", async () => {
    const kit = usePool();
    kit.pool.keepSpares(2);
    expect(kit.pending).toHaveLength(2);
    await kit.grant(2);
    expect(kit.pool.take(waitFor(), "any", 0)).toBeDefined();
    expect(kit.pending).toHaveLength(1);
  });

  test("does not replace a spare that closed by itself before somebody asks", async () => {
    const kit = usePool();
    kit.pool.keepSpares(1);
    await kit.grant();
    kit.streams[0]!.destroy();
    await kit.settled();
    expect(kit.pending).toHaveLength(0);
    kit.pool.take(waitFor(), "any", 0);
    expect(kit.pending.length).toBeGreaterThan(0);
  });

  test("does not try again by itself when a spare is refused", async () => {
    const kit = usePool();
    kit.pool.keepSpares(1);
    await kit.grant(1, false);
    expect(kit.pending).toHaveLength(0);
  });

  test("opens so many at a time and so many in all, and serves in the order of asking", async () => {
    const kit = usePool({ connectsPerTunnel: 2, connectionsPerTunnel: 3 });
    const waiters = Array.from({ length: 5 }, waitFor);
    for (const waiter of waiters) kit.pool.take(waiter, "any", 0);
    expect(kit.pending).toHaveLength(2);
    await kit.grant(2);
    expect(kit.pending).toHaveLength(1);
    await kit.grant();
    expect(kit.pending).toHaveLength(0);
    expect(waiters.map(({ got }) => got !== undefined)).toEqual([
      ...[true, true, true, false, false],
    ]);
    kit.pool.giveBack(waiters[1]!.got!, undefined, 0, 0);
    expect(waiters[3]!.got).toBe(waiters[1]!.got);
    waiters[0]!.got!.destroy();
    await kit.settled();
    await kit.grant();
    expect(waiters[4]!.got).toBeDefined();
  });

  test("passes over those who no longer wait, and closes what was opened for nobody", async () => {
    const kit = usePool();
    const [gone, staying] = [waitFor(), waitFor()];
    kit.pool.take(gone, "any", 0);
    kit.pool.take(staying, "any", 0);
    kit.pool.cancel(gone);
    await kit.grant(2);
    expect(gone.got).toBeUndefined();
    expect(staying.got).toBeDefined();
    expect(kit.streams[1]!.destroyed).toBe(true);
  });

  test("gives who wants a new connection none that is old, and makes room for it at the limit", async () => {
    const kit = usePool({ connectionsPerTunnel: 1 });
    const old = await kit.connection();
    kit.pool.giveBack(old, undefined, 0, 0);
    const waiter = waitFor();
    kit.pool.take(waiter, "new", 0);
    await kit.settled();
    await kit.grant();
    expect(old.usable).toBe(false);
    expect(waiter.got).not.toBe(old);
    expect(waiter.got).toBeDefined();
    // Also when the old one is in use as it is asked for.
    const second = waitFor();
    kit.pool.take(second, "new", 0);
    expect(kit.pending).toHaveLength(0);
    kit.pool.giveBack(waiter.got!, undefined, 0, 0);
    await kit.settled();
    await kit.grant();
    expect(second.got).toBeDefined();
    expect(second.got).not.toBe(waiter.got);
  });

  test("answers one failed attempt to one who waits", async () => {
    const kit = usePool({ connectsPerTunnel: 1 });
    const [a, b] = [waitFor(), waitFor()];
    kit.pool.take(a, "any", 0);
    kit.pool.take(b, "any", 0);
    await kit.grant(1, false);
    expect(a.refused).toBe("failed");
    expect(b.refused).toBeUndefined();
    await kit.grant();
    expect(b.got).toBeDefined();
  });

  test("counts dedicated connections among those being opened", async () => {
    const kit = usePool({ connectsPerTunnel: 1 });
    const visitor = { address: "192.0.2.1", port: 1 };
    const first = kit.pool.openDedicated(visitor);
    const second = kit.pool.openDedicated(visitor);
    const third = kit.pool.openDedicated(visitor);
    await kit.settled();
    expect(kit.pending).toHaveLength(1);
    await kit.grant();
    await first;
    expect(kit.pending).toHaveLength(1);
    const refused = expect(second).rejects.toThrow(EdgeError);
    await kit.grant(1, false);
    await refused;
    expect(kit.pending).toHaveLength(1);
    await kit.grant();
    await third;
  });

  test("closing ends what is idle and what is in use, and sends waiters away", async () => {
    const kit = usePool({ connectionsPerTunnel: 2 });
    const idle = await kit.connection();
    await kit.connection();
    kit.pool.giveBack(idle, undefined, 0, 0);
    expect(kit.pool.take(waitFor(), "any", 0)).toBe(idle);
    const waiter = waitFor();
    kit.pool.take(waiter, "any", 0);
    kit.pool.close();
    expect(kit.streams.every(({ destroyed }) => destroyed)).toBe(true);
    expect(waiter.refused).toBe("closed");
    await kit.settled();
    expect(kit.pool.size).toBe(0);
  });

  test("a connection that was being opened when the pool closed is closed", async () => {
    const kit = usePool();
    kit.pool.take(waitFor(), "any", 0);
    kit.pool.close();
    await kit.grant();
    expect(kit.streams[0]!.destroyed).toBe(true);
  });
});

describe("a request on a connection that turns out closed", () => {
  /** The first connection answers once and dies on the second request; all others answer. */
  const useFickle = (dies: (text: string) => boolean) =>
    useRawUpstream((wire, index) => {
      wire.socket.on("data", () => {
        const heads = wire.text.split("\r\n\r\n").length - 1;
        if (index === 0 && heads > 1 && dies(wire.text)) wire.socket.destroy();
        else wire.write(OK);
      });
    });

  test.each(["GET", "HEAD", "OPTIONS"])(
    "is sent once more if it is a %s",
    async (method) => {
      const upstream = await useFickle(() => true);
      const { connect, record } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(request("GET", "/1"));
      await record(0);
      wire.write(request(method, "/2"));
      expect(await record(1)).toMatchObject({ status: 200, retried: true });
      expect(upstream.wires).toHaveLength(2);
      expect(upstream.wires[1]!.text).toMatch(new RegExp(`^${method} /2`));
    },
  );

  test.each([
    ["POST", ["Content-Length: 1"], "x"],
    ["POST", ["Content-Length: 0"], ""],
    ["PUT", ["Content-Length: 1"], "x"],
    ["DELETE", [], ""],
    ["GET", ["Content-Length: 1"], "x"],
    ["GET", ["Transfer-Encoding: chunked"], "0\r\n\r\n"],
  ])("is not repeated if it is a %s with %j", async (method, headers, body) => {
    const upstream = await useFickle(() => true);
    const { connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/1"));
    await record(0);
    wire.write(request(method, "/2", headers, body));
    expect(await record(1)).toMatchObject({
      status: 502,
      error: "upstream-closed",
      retried: false,
    });
    expect(upstream.wires).toHaveLength(1);
  });

  test("is not repeated once a byte of the answer has come", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.socket.on("data", () => {
        const heads = wire.text.split("\r\n\r\n").length - 1;
        if (heads === 1) wire.write(OK);
        else wire.socket.end("H");
      });
    });
    const { connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/1"));
    await record(0);
    wire.write(get("/2"));
    expect(await record(1)).toMatchObject({
      error: "upstream-closed",
      retried: false,
    });
    expect(upstream.wires).toHaveLength(1);
  });

  test("is repeated once and no more", async () => {
    const upstream = await useRawUpstream((wire, index) => {
      wire.socket.on("data", () => {
        if (index === 0 && !wire.text.includes("/2")) wire.write(OK);
        else wire.socket.destroy();
      });
    });
    const { connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/1"));
    await record(0);
    wire.write(get("/2"));
    expect(await record(1)).toMatchObject({
      error: "upstream-down",
      retried: true,
    });
    expect(upstream.wires).toHaveLength(2);
  });

  test("is repeated when it was a spare that nobody had used", async () => {
    const upstream = await useRawUpstream((wire, index) => {
      wire.when("\r\n\r\n", () => {
        if (index < 2) wire.socket.destroy();
        else wire.write(OK);
      });
    });
    const { edge, tunnel, send, record } = await useEdge(upstream.port);
    edge.warm(tunnel);
    await upstream.wire(1);
    await send(get("/1"));
    expect(await record()).toMatchObject({ status: 200, retried: true });
  });

  test("is not repeated on a fresh connection: there is nobody", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => wire.socket.destroy()),
    );
    const { send, record } = await useEdge(upstream.port);
    await send(get("/1"));
    expect(await record()).toMatchObject({
      error: "upstream-down",
      retried: false,
    });
    expect(upstream.wires).toHaveLength(1);
  });
});

test("a request that waits as its tunnel closes goes to the one that has the name then", async () => {
  const upstream = await useRawUpstream((wire) =>
    wire.when("\r\n\r\n", () => wire.write(OK)),
  );
  const old = await useEdge(upstream.port);
  const heir = (await useEdge(upstream.port)).tunnel;
  old.forward.gate = new Promise(() => {});
  const wire = await old.connect();
  wire.write(
    request("POST", "/", ["Content-Length: 2", "Connection: close"], "ok"),
  );
  while (old.forward.connects === 0) await new Promise(setImmediate);
  old.routes.set("app.test", { kind: "tunnel", tunnel: heir });
  old.tunnel.close();
  expect(await wire.untilEnded()).toMatch(/^HTTP\/1.1 200/);
  expect(await old.record()).toMatchObject({ status: 200, retried: false });
});

test.each(["failed", "in flight"])(
  "a request that is %s as its client is lost waits for the client like those that come later",
  async (how) => {
    const upstream = await useRawUpstream();
    const back = await useCannedUpstream(OK);
    const { connect, tunnel, forward, routes, record } = await useEdge(
      upstream.port,
    );
    const heir = (await useEdge(back.port)).tunnel;
    const wire = await connect();
    // Connections fail before the edge hears that the session has ended.
    if (how === "failed") {
      forward.refuses = "failed";
      wire.write(get());
      while (forward.connects === 0) await new Promise(setImmediate);
    } else {
      wire.write(get());
      await (await upstream.wire()).until("\r\n\r\n");
    }
    routes.set("app.test", {
      kind: "away",
      retryAfterS: 1,
      back: () => Promise.resolve(heir),
    });
    tunnel.close();
    const text = await wire.untilEnded();
    expect(text).toMatch(/^HTTP\/1.1 200/);
    expect(await record()).toMatchObject({
      status: 200,
      retried: how === "in flight",
    });
  },
);

test("a request in flight as its tunnel closes fails, and says so", async () => {
  const upstream = await useRawUpstream();
  const { connect, tunnel, record } = await useEdge(upstream.port);
  const wire = await connect();
  wire.write(request("POST", "/", ["Content-Length: 2"], "ok"));
  await (await upstream.wire()).until(/ok$/);
  tunnel.close();
  await wire.until(/\r\nExpose-Error: forward-failed\r\n/);
  expect((await record()).status).toBe(502);
});
