import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { EdgeError } from "../errors.ts";
import {
  get,
  request,
  useCannedUpstream,
  useEdge,
  useHttpUpstream,
  useRawUpstream,
} from "./edge.fixture.ts";
import { useWire } from "./wire.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const UPGRADE = request("GET", "/", [
  "Connection: Upgrade",
  "Upgrade: websocket",
]);
const GOING_AWAY = "\u0088\u0002\u0003\u00e9";

describe("closing", () => {
  test("lets a request finish, says that its connection ends with it, and accepts nobody new", async () => {
    const upstream = await useRawUpstream();
    const { edge, connect, port } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/"));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    const closed = edge.close({ deadlineMs: 60_000 });
    await expect(useWire(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    server.write(OK);
    expect(await wire.untilEnded()).toBe(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    );
    await closed;
    await server.untilEnded();
    expect(edge.stats()).toEqual({
      ...{ connections: 0, requests: 0, upgrades: 0 },
      ...{ upstreamConnections: 0, refusedConnections: 0 },
    });
  });

  test("lets a body that is being streamed finish", async () => {
    const upstream = await useRawUpstream();
    const { edge, connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/"));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    server.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    await wire.until("hello");
    const closed = edge.close({ deadlineMs: 60_000 });
    server.write("world");
    expect(await wire.untilEnded()).toMatch(/helloworld$/);
    await closed;
  });

  test("still serves a request that was on its way on an idle connection, a POST too", async () => {
    const upstream = await useCannedUpstream(OK);
    const { edge, connect } = await useEdge(upstream.port);
    const [used, unused] = [await connect(), await connect()];
    used.write(request("GET", "/"));
    await used.until(/ok$/);
    const closed = edge.close({ deadlineMs: 60_000 });
    for (const wire of [used, unused]) {
      wire.write(request("POST", "/late", ["Content-Length: 1"], "x"));
      expect(await wire.untilEnded()).toMatch(
        /\r\nConnection: close\r\n\r\nok$/,
      );
      expect(wire.ended).toBe("end");
    }
    await closed;
  });

  test("ends idle connections in an orderly way after a moment", async () => {
    const upstream = await useCannedUpstream(OK);
    const { edge, connect } = await useEdge(upstream.port);
    const wire = await connect();
    await edge.close({ deadlineMs: 100 });
    await wire.untilEnded();
    expect(wire.ended).toBe("end");
  });

  test("leaves a head or an answer that is on its way the time until the deadline, and no connection more", async () => {
    const upstream = await useRawUpstream();
    const { edge, connect } = await useEdge(upstream.port);
    const [late, running, idle] = [
      await connect(),
      await connect(),
      await connect(),
    ];
    running.write(request("GET", "/"));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    server.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    await running.until("\r\n\r\n");
    late.write("GET / HTTP/1.1\r\nHo");
    await new Promise((resolve) => late.socket.write("st", resolve));
    const closed = edge.close({ deadlineMs: 60_000 });
    await idle.untilEnded();
    server.write("ok");
    expect(await running.untilEnded()).toMatch(/ok$/);
    late.write(": app.test\r\n\r\n");
    await server.until(/\r\n\r\n[^]*\r\n\r\n/);
    server.write(OK);
    expect(await late.untilEnded()).toMatch(/Connection: close\r\n\r\nok$/);
    await closed;
  });

  test("cuts off at the deadline what is left", async () => {
    const upstream = await useRawUpstream();
    const { edge, connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/"));
    await (await upstream.wire()).until("\r\n\r\n");
    await edge.close({ deadlineMs: 50 });
    await wire.untilEnded();
    expect(await record()).toMatchObject({ status: 0 });
  });

  test("a second call with no time left ends everything at once", async () => {
    const upstream = await useRawUpstream();
    const { edge, connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/"));
    await (await upstream.wire()).until("\r\n\r\n");
    const first = edge.close({ deadlineMs: 60_000 });
    const second = edge.close({ deadlineMs: 0 });
    await Promise.all([first, second]);
    await wire.untilEnded();
    // And a third one, later, changes nothing.
    await edge.close({ deadlineMs: 1_000 });
  });

  test("answers a request for a client that is away at once", async () => {
    const upstream = await useRawUpstream();
    const { edge, connect, routes } = await useEdge(upstream.port);
    routes.set("app.test", {
      kind: "away",
      retryAfterS: 3,
      back: () => new Promise(() => {}),
    });
    const wire = await connect();
    const closed = edge.close({ deadlineMs: 60_000 });
    wire.write(request("GET", "/"));
    expect(await wire.untilEnded()).toMatch(
      /^HTTP\/1.1 503 [^]*Expose-Error: edge-draining/,
    );
    await closed;
  });

  test("refuses new WebSockets", async () => {
    const upstream = await useRawUpstream();
    const { edge, connect } = await useEdge(upstream.port);
    const wire = await connect();
    const closed = edge.close({ deadlineMs: 60_000 });
    wire.write(UPGRADE);
    expect(await wire.untilEnded()).toMatch(
      /^HTTP\/1.1 503 [^]*Expose-Error: edge-draining/,
    );
    await closed;
  });
});

describe("a WebSocket, as the edge closes,", () => {
  test("hears 1001 in real clients and servers, and both agree", async () => {
    const upstream = await useHttpUpstream((_request, response) =>
      response.end(),
    );
    const sockets = new WebSocketServer({ server: upstream.server });
    const serverClosed = new Promise<number>((resolve) => {
      sockets.on("connection", (socket) => {
        socket.on("close", resolve);
        socket.send("hello");
      });
    });
    onTestFinished(() => sockets.close());
    const { edge, port, record } = await useEdge(upstream.port);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
      headers: { Host: "app.test" },
    });
    await once(socket, "message");
    const heard = once(socket, "close");
    await edge.close({ deadlineMs: 60_000 });
    expect((await heard)[0]).toBe(1_001);
    expect(await serverClosed).toBe(1_001);
    expect(await record()).toMatchObject({ status: 101, upgraded: true });
  });

  test.each([
    ["between frames", "\u0081\u0002hi", "", ""],
    ["between fragments", "\u0001\u0002hi", "", "\u0080\u0002ho"],
    ["in a frame's head", "\u0081", "\u0002hi", "\u0081\u0002ho"],
    ["in a frame", "\u0081\u0005he", "llo", "\u0081\u0002ho"],
    [
      "in a long frame",
      `\u0082\u007e\u0001\u0000${"x".repeat(100)}`,
      "x".repeat(156),
      "\u0081\u0002ho",
    ],
    ["before the first frame", "", "", "\u0081\u0002ho"],
  ])(
    "%s, gets the Close frame where a frame ends",
    async (_, before, rest, after) => {
      const upstream = await useRawUpstream((wire) =>
        wire.when("\r\n\r\n", () => wire.write(SWITCH)),
      );
      const { edge, connect } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(UPGRADE);
      await wire.until("\r\n\r\n");
      const server = upstream.wires[0]!;
      const head = wire.text.length;
      server.write(before);
      while (wire.text.length < head + before.length)
        await new Promise(setImmediate);
      const closed = edge.close({ deadlineMs: 60_000 });
      server.write(rest + after);
      await wire.until(GOING_AWAY);
      // The visitor's own Close frame still goes to the upstream, which ends the connection.
      wire.write("\u0088\u0080abcd");
      await server.until("\u0088\u0080abcd");
      server.socket.end("\u0088\u0000");
      expect((await wire.untilEnded()).slice(head)).toBe(
        before + rest + GOING_AWAY,
      );
      await closed;
    },
  );

  test("is ended when the two sides do not agree on the end", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => wire.write(SWITCH)),
    );
    const { edge, connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(UPGRADE);
    await wire.until("\r\n\r\n");
    const closed = edge.close({ deadlineMs: 60_000 });
    await wire.until(GOING_AWAY);
    await advance(2_001);
    await wire.untilEnded();
    await closed;
  });

  test("is cut off at the deadline when its frame never ends", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () =>
        wire.write(`${SWITCH}\u0082\u007e\u0001\u0000x`),
      ),
    );
    const { edge, connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(UPGRADE);
    await wire.until(/x$/);
    await edge.close({ deadlineMs: 50 });
    expect(await wire.untilEnded()).not.toContain(GOING_AWAY);
  });
});

test("an address that is taken is told as such", async () => {
  const taken = http.createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void taken.close());
  await once(taken, "listening");
  const { edge } = await useEdge(1);
  const { port } = taken.address() as AddressInfo;
  const error = await edge
    .listen("127.0.0.1", port)
    .catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(EdgeError);
  expect(error).toMatchObject({
    code: "listen-failed",
    cause: { code: "EADDRINUSE" },
  });
});

test("several addresses serve the same tunnels and close together", async () => {
  const upstream = await useCannedUpstream(OK);
  const { edge, port } = await useEdge(upstream.port);
  const second = await edge.listen("127.0.0.1", 0);
  expect(edge.address()?.port).toBe(port);
  for (const each of [port, second.port]) {
    const wire = await useWire(each);
    wire.write(get());
    expect(await wire.untilEnded()).toMatch(/ok$/);
  }
  await edge.close({ deadlineMs: 1_000 });
  for (const each of [port, second.port])
    await expect(useWire(each)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});
