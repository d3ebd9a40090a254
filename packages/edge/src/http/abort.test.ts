// Either side going away in each phase of a request: the other side hears of it, and nothing is left behind.
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Route } from "../routes/tunnel.ts";
import {
  get,
  request,
  TestTunnel,
  useEdge,
  useRawUpstream,
} from "./edge.fixture.ts";
import type { useWire } from "./wire.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe.each(["a reset", "an orderly end"] as const)(
  "a visitor that goes away with %s",
  (how) => {
    const leave = (wire: Awaited<ReturnType<typeof useWire>>): void => {
      if (how === "a reset") wire.socket.resetAndDestroy();
      else wire.socket.end();
    };

    test("while it waits for a connection leaves the queue", async () => {
      const upstream = await useRawUpstream();
      const { connect, forward, record, edge } = await useEdge(upstream.port);
      let open = (): void => {};
      forward.gate = new Promise((resolve) => (open = resolve));
      const wire = await connect();
      wire.write(request("GET", "/"));
      while (forward.connects === 0) await new Promise(setImmediate);
      leave(wire);
      expect(await record()).toMatchObject({ status: 0, error: undefined });
      open();
      await (await upstream.wire()).untilEnded();
      expect(upstream.wires[0]!.text).toBe("");
      expect(edge.stats().requests).toBe(0);
    });

    test("while its body is on the way ends the upstream's connection", async () => {
      const upstream = await useRawUpstream();
      const { connect, record } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(request("POST", "/", ["Content-Length: 10"], "12345"));
      const server = await upstream.wire();
      await server.until("12345");
      leave(wire);
      await server.untilEnded();
      expect(await record()).toMatchObject({ status: 0, bytesIn: 5 });
    });

    test("while the upstream thinks ends the upstream's connection", async () => {
      const upstream = await useRawUpstream();
      const { connect, record } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(request("GET", "/"));
      const server = await upstream.wire();
      await server.until("\r\n\r\n");
      leave(wire);
      await server.untilEnded();
      expect(await record()).toMatchObject({ status: 0, error: undefined });
    });

    test("in the middle of the answer ends the upstream's connection", async () => {
      const upstream = await useRawUpstream();
      const { connect, record } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(request("GET", "/"));
      const server = await upstream.wire();
      await server.until("\r\n\r\n");
      server.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
      await wire.until("hello");
      leave(wire);
      await server.untilEnded();
      expect(await record()).toMatchObject({
        status: 200,
        bytesOut: 5,
        error: undefined,
      });
    });

    test("while its client is away is forgotten", async () => {
      const upstream = await useRawUpstream();
      const { connect, routes, tunnel, record } = await useEdge(upstream.port);
      let back = (): void => {};
      const away: Route = {
        kind: "away",
        retryAfterS: 3,
        back: () => new Promise((resolve) => (back = () => resolve(tunnel))),
      };
      routes.set("app.test", away);
      const wire = await connect();
      wire.write(request("GET", "/"));
      const idle = back;
      while (back === idle) await new Promise(setImmediate);
      leave(wire);
      expect(await record()).toMatchObject({ status: 0 });
      back();
      await new Promise(setImmediate);
      expect(upstream.wires).toHaveLength(0);
    });

    test("takes its pipelined requests along", async () => {
      const upstream = await useRawUpstream();
      const { connect, record } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(request("GET", "/1") + request("GET", "/2"));
      await (await upstream.wire()).until("\r\n\r\n");
      leave(wire);
      await record(1);
      expect(upstream.wires[0]!.text).not.toContain("/2");
    });
  },
);

describe("a client that is away", () => {
  test("is waited for, and the request served when it is back", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => wire.write(OK)),
    );
    const { send, routes, tunnel, record } = await useEdge(upstream.port, {
      timeouts: { awayWaitMs: 1_234 },
    });
    const waits: number[] = [];
    routes.set("app.test", {
      kind: "away",
      retryAfterS: 3,
      back(waitMs) {
        waits.push(waitMs);
        return Promise.resolve(tunnel);
      },
    });
    expect(await send(get())).toMatch(/^HTTP\/1.1 200/);
    expect(waits).toEqual([1_234]);
    expect((await record()).tunnel).toBe("app");
  });

  test("and does not come back is answered with 503 and when to try again", async () => {
    const upstream = await useRawUpstream();
    const { send, routes } = await useEdge(upstream.port);
    routes.set("app.test", {
      kind: "away",
      retryAfterS: 7,
      back: () => Promise.resolve(undefined),
    });
    expect(await send(get())).toMatch(
      /^HTTP\/1.1 503 [^]*\r\nExpose-Error: tunnel-away\r\n[^]*Retry-After: 7\r\n/,
    );
  });
});

describe("a client whose connections end before its session does", () => {
  // As through sshd: for a moment it looks as if nothing listened behind them.
  async function useLosing(head: string) {
    const upstream = await useRawUpstream((wire, index) => {
      if (index > 0) wire.when("\r\n\r\n", () => wire.write(OK));
    });
    const edge = await useEdge(upstream.port);
    const wire = await edge.connect();
    wire.write(head);
    const first = await upstream.wire();
    await first.until("\r\n\r\n");
    first.socket.destroy();
    const [connection] = edge.forward.sockets;
    if (connection) await once(connection, "close");
    const back = new TestTunnel(upstream.port);
    onTestFinished(() => back.close());
    edge.routes.set("app.test", { kind: "tunnel", tunnel: back });
    edge.tunnel.close();
    return { ...edge, wire };
  }

  test("is waited for with a request that may be repeated", async () => {
    const { wire, record } = await useLosing(get());
    expect(await wire.untilEnded()).toMatch(/^HTTP\/1.1 200/);
    expect(await record()).toMatchObject({ retried: true });
  });

  test("is told as lost, and not as nobody who listens, to a request that may not", async () => {
    const { wire } = await useLosing(
      request("POST", "/", ["Content-Length: 0", "Connection: close"]),
    );
    expect(await wire.untilEnded()).toMatch(
      /^HTTP\/1.1 502 [^]*\r\nExpose-Error: forward-failed\r\n/,
    );
  });
});

test("an upstream that closes right behind its answer has answered", async () => {
  const upstream = await useRawUpstream((wire) => {
    wire.when("\r\n\r\n", () => wire.socket.end(OK));
  });
  const { connect } = await useEdge(upstream.port);
  const wire = await connect();
  for (const count of [1, 2, 3]) {
    wire.write(request("GET", `/${count}`));
    await wire.until(new RegExp(`(?:[^]*\r\nok){${count}}$`));
  }
  expect(upstream.wires).toHaveLength(3);
});

test("an upstream that answers and closes while the body is coming has answered", async () => {
  const upstream = await useRawUpstream((wire) => {
    wire.when("\r\n\r\n", () =>
      wire.socket.end(
        "HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
      ),
    );
  });
  const { connect, record } = await useEdge(upstream.port);
  const wire = await connect();
  wire.write(
    request("POST", "/", ["Content-Length: 1000000"], "x".repeat(1_000)),
  );
  await wire.until(/403[^]*no$/);
  expect(await record()).toMatchObject({ status: 403, error: undefined });
});
