import { randomBytes } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once, type EventEmitter } from "node:events";
import { Duplex } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Forward } from "../ingress/forward.ts";
import {
  request,
  useCannedUpstream,
  useEdge,
  useHttpUpstream,
  useRawUpstream,
  type TestEdge,
} from "./edge.fixture.ts";
import type { HttpEdgeOptions } from "./listener.ts";

const UPGRADE = [
  "Connection: keep-alive, Upgrade",
  "Upgrade: WebSocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const upgrade = (path = "/ws", ...headers: string[]): string =>
  request("GET", path, [...UPGRADE, ...headers]);

/** A WebSocket server that sends back what it gets. */
async function useEcho(): Promise<{ port: number; sockets: WebSocketServer }> {
  const upstream = await useHttpUpstream((_request, response) =>
    response.writeHead(426).end("upgrade, please"),
  );
  const sockets = new WebSocketServer({ server: upstream.server });
  sockets.on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  });
  return { port: upstream.port, sockets };
}

async function useEchoEdge(
  options?: Partial<HttpEdgeOptions>,
): Promise<
  TestEdge & { sockets: WebSocketServer; dial(): Promise<WebSocket> }
> {
  const echo = await useEcho();
  const edge = await useEdge(echo.port, options);
  return {
    ...edge,
    sockets: echo.sockets,
    async dial() {
      const socket = new WebSocket(`ws://127.0.0.1:${edge.port}/chat`, {
        headers: { Host: "app.test" },
      });
      onTestFinished(() => socket.terminate());
      await once(socket, "open");
      return socket;
    },
  };
}

describe("a WebSocket", () => {
  test("carries messages of any size both ways, and its close code", async () => {
    const { dial, record, edge } = await useEchoEdge();
    const socket = await dial();
    expect(edge.stats()).toMatchObject({ upgrades: 1, requests: 0 });
    let sent = 0;
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
      const message = randomBytes(size);
      sent += size;
      socket.send(message);
      const [echo] = (await once(socket, "message")) as [Buffer];
      expect(echo.equals(message)).toBe(true);
    }
    socket.close(4_321, "done");
    const [code, reason] = (await once(socket, "close")) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4_321, "done"]);
    const told = await record();
    expect(told).toMatchObject({
      status: 101,
      upgraded: true,
      error: undefined,
      target: "/chat",
    });
    expect(told.bytesIn).toBeGreaterThan(sent);
    expect(told.bytesOut).toBeGreaterThan(sent);
    expect(edge.stats()).toMatchObject({ upgrades: 0, upstreamConnections: 0 });
  });

  test("reaches the upstream with its path, headers, bytes and address unchanged, ours added", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => wire.write(SWITCH)),
    );
    const { connect, forward } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(
      upgrade(
        "//a/..//b?c=%2F",
        "X-CaSe: 1",
        "X-Two: a",
        "X-Two: b",
        "X-Forwarded-For: 6.6.6.6",
        "Expect: 100-continue",
      ),
    );
    await wire.until("\r\n\r\n");
    expect(upstream.wires[0]!.text).toBe(
      `GET //a/..//b?c=%2F HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-CaSe: 1\r\nX-Two: a\r\nX-Two: b\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: app.test\r\nX-Forwarded-Port: 8000\r\n\r\n`,
    );
    expect(forward.visitors).toEqual([
      { address: "127.0.0.1", port: wire.socket.localPort },
    ]);
  });

  test("gets the upstream's own answer, without what belongs to one hop", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () =>
        wire.write(
          "HTTP/1.1 101 Fine\r\nUPGRADE: WebSocket\r\nX-CaSe: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: Upgrade, X-Drop\r\nX-Drop: 1\r\nExpose-Error: x\r\n\r\n",
        ),
      ),
    );
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(upgrade());
    expect(await wire.until("\r\n\r\n")).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-CaSe: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
    );
  });

  test("sends nothing before the upstream has agreed, and then all of it", async () => {
    const upstream = await useRawUpstream();
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(`${upgrade()}EARLY`);
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    wire.write("-LATER");
    // The upstream's first bytes come with its agreement.
    server.write(`${SWITCH}HELLO`);
    await server.until(/\r\n\r\nEARLY-LATER$/);
    await wire.until(/\r\n\r\nHELLO$/);
  });

  test("has a connection of its own, and the next request has another", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.socket.on("data", (text: string) =>
        wire.write(
          text.includes("Upgrade") ? SWITCH : "HTTP/1.1 204 X\r\n\r\n",
        ),
      );
    });
    const { connect, forward } = await useEdge(upstream.port);
    const [socket, plain] = [await connect(), await connect()];
    plain.write(request("GET", "/1"));
    await plain.until("204");
    socket.write(upgrade());
    await socket.until("101");
    expect(forward.connects).toBe(2);
    socket.socket.destroy();
    await upstream.wires[1]!.untilEnded();
    plain.write(request("GET", "/2"));
    await plain.until(/204[^]*204/);
    expect(forward.connects).toBe(2);
  });

  test("ends when either side does, abruptly or not", async () => {
    for (const end of ["end", "destroy"] as const) {
      const upstream = await useRawUpstream((wire) =>
        wire.when("\r\n\r\n", () => wire.write(SWITCH)),
      );
      const { connect, record } = await useEdge(upstream.port);
      const first = await connect();
      first.write(upgrade());
      await first.until("101");
      first.socket[end]();
      await upstream.wires[0]!.untilEnded();
      upstream.wires[0]!.socket.end();
      await record(0);
      const second = await connect();
      second.write(upgrade());
      await second.until("101");
      upstream.wires[1]!.write("BYE");
      upstream.wires[1]!.socket[end]();
      expect(await second.untilEnded()).toMatch(/BYE$/);
      second.socket.end();
      await record(1);
    }
  });

  test("keeps nothing of how it was opened, for it may stay open for days", async () => {
    const messages: WeakRef<object>[] = [];
    const remember = (message: unknown): void => {
      const { request: sent } = message as { request: EventEmitter };
      messages.push(new WeakRef(sent));
      sent.once("upgrade", (answer: object) =>
        messages.push(new WeakRef(answer)),
      );
    };
    const channel = "http.client.request.start";
    subscribe(channel, remember);
    onTestFinished(() => void unsubscribe(channel, remember));
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => wire.write(SWITCH)),
    );
    const { connect, forward } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(upgrade());
    await wire.until("101");
    expect(messages).toHaveLength(2);
    // A finished promise may still hold on for a turn of the loop.
    await vi.waitUntil(() => {
      collectGarbage();
      return messages.every((message) => message.deref() === undefined);
    });
    const [stream] = forward.sockets;
    expect(stream!.destroyed).toBe(false);
  });

  test("holds back what its visitor does not read, and loses nothing of it", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => wire.write(SWITCH)),
    );
    const { connect, forward } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(upgrade());
    await wire.until("101");
    const [stream] = forward.sockets;
    const before = wire.socket.bytesRead;
    wire.socket.pause();
    const held = once(stream!, "pause");
    const body = Buffer.alloc(32 * 1024 ** 2, "x");
    upstream.wires[0]!.socket.end(body);
    await held;
    expect(stream!.bytesRead).toBeLessThan(body.length);
    wire.socket.resume();
    await wire.untilEnded();
    expect(wire.socket.bytesRead - before).toBe(body.length);
  });

  test("ends with its tunnel", async () => {
    const { dial, tunnel, record } = await useEchoEdge();
    const socket = await dial();
    const closed = once(socket, "close");
    tunnel.close();
    await closed;
    expect((await record()).status).toBe(101);
  });
});

describe("an upgrade that the upstream refuses", () => {
  test.each([
    [
      "with a length",
      "HTTP/1.1 401 No\r\nWWW-Authenticate: x\r\nContent-Length: 2\r\n\r\nno",
      "no",
    ],
    [
      "in chunks",
      "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
      "2\r\nno\r\n0\r\n\r\n",
    ],
    ["until its end", "HTTP/1.1 401 No\r\n\r\nno", "2\r\nno\r\n0\r\n\r\n"],
    [
      "before a switch that comes too late",
      `HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno${SWITCH}`,
      "no",
    ],
    [
      "behind early hints",
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno",
      "no",
    ],
  ])(
    "%s gets that answer, and what it sent goes nowhere",
    async (_, answer, body) => {
      const upstream = await useRawUpstream((wire) =>
        wire.when("\r\n\r\n", () => wire.socket.end(answer)),
      );
      const { connect, record } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(
        `${upgrade()}GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n`,
      );
      const text = await wire.untilEnded();
      expect(text).toMatch(/^HTTP\/1.1 401 No\r\n[^]*Connection: close\r\n/);
      expect(text.endsWith(`\r\n\r\n${body}`)).toBe(true);
      expect(upstream.wires[0]!.text).not.toContain("smuggled");
      expect(upstream.wires).toHaveLength(1);
      expect(await record()).toMatchObject({
        status: 401,
        upgraded: false,
        bytesOut: 2,
        error: undefined,
      });
    },
  );

  test("with a long page gets all of it", async () => {
    const upstream = await useHttpUpstream((_request, response) =>
      response.end("x".repeat(3_000_000)),
    );
    upstream.server.on("upgrade", (_request, socket) => {
      socket.end(
        `HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n${"x".repeat(3_000_000)}`,
      );
    });
    const { send } = await useEdge(upstream.port);
    const text = await send(upgrade());
    expect(text.length - text.indexOf("\r\n\r\n") - 4).toBe(3_000_000);
  });
});

describe("an upgrade that fails", () => {
  test.each([
    [
      "nobody answers",
      (end: (text: string) => void) => end(""),
      502,
      "upstream-down",
    ],
    [
      "a crash",
      (end: (text: string) => void) => end("HTTP/1.1 10"),
      502,
      "upstream-closed",
    ],
    [
      "another protocol",
      (end: (text: string) => void) => end("SSH-2.0-x\r\n"),
      502,
      "upstream-invalid",
    ],
    [
      "a switch to nothing",
      (end: (text: string) => void) => end("HTTP/1.1 101 X\r\n\r\n"),
      502,
      "upstream-invalid",
    ],
    [
      "a flood of hints",
      (end: (text: string) => void) => end("HTTP/1.1 103 X\r\n\r\n".repeat(50)),
      502,
      "upstream-invalid",
    ],
  ])("because of %s is answered with a page", async (_, play, status, code) => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => play((text) => wire.socket.end(text))),
    );
    const { connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(upgrade());
    expect(await wire.untilEnded()).toMatch(
      new RegExp(`^HTTP/1.1 ${status} [^]*\r\nExpose-Error: ${code}\r\n`),
    );
    expect(await record()).toMatchObject({
      status,
      error: code,
      upgraded: false,
    });
  });

  test("because the tunnel does is answered with a page", async () => {
    const upstream = await useRawUpstream();
    for (const refuses of ["failed", "down"] as const) {
      const { send, forward } = await useEdge(upstream.port);
      forward.refuses = refuses;
      expect(await send(upgrade())).toMatch(
        refuses === "failed"
          ? /Expose-Error: forward-failed/
          : /Expose-Error: upstream-down/,
      );
    }
  });

  test("because the upstream takes too long is answered with 504", async () => {
    const upstream = await useRawUpstream();
    const { connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(upgrade());
    await (await upstream.wire()).until("\r\n\r\n");
    await advance(300_001);
    expect(await wire.untilEnded()).toMatch(/^HTTP\/1.1 504 /);
    await upstream.wires[0]!.untilEnded();
  });

  test("because the visitor leaves first leaves nothing behind", async () => {
    const upstream = await useRawUpstream();
    const { connect, record, edge } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(upgrade());
    await (await upstream.wire()).until("\r\n\r\n");
    wire.socket.destroy();
    await upstream.wires[0]!.untilEnded();
    expect(await record()).toMatchObject({ status: 0 });
    expect(edge.stats()).toMatchObject({ requests: 0, upgrades: 0 });
  });
});

test.each([
  ["another method", request("POST", "/", [...UPGRADE]), "upgrade-refused"],
  ["two Upgrade fields", upgrade("/", "Upgrade: websocket"), "200"],
  [
    "several protocols",
    request("GET", "/", ["Connection: Upgrade", "Upgrade: websocket, h2c"]),
    "200",
  ],
  ["HTTP/1.0", upgrade().replace("HTTP/1.1", "HTTP/1.0"), "200"],
  [
    "another protocol",
    request("GET", "/", ["Connection: Upgrade", "Upgrade: h2c"]),
    "200",
  ],
  [
    "no Connection",
    request("GET", "/", ["Upgrade: websocket", "Connection: close"]),
    "200",
  ],
])(
  "an upgrade with %s does not reach the upstream as one",
  async (_, text, expected) => {
    const upstream = await useCannedUpstream(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    const { send } = await useEdge(upstream.port);
    expect(await send(text)).toContain(expected);
    for (const { text: seen } of upstream.wires)
      expect(seen).not.toMatch(/^(?:upgrade|connection):/im);
  },
);

test("an upstream that switches to another protocol than asked for is cut off", async () => {
  const upstream = await useRawUpstream((wire) =>
    wire.when("\r\n\r\n", () =>
      wire.write(
        "HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nEVIL",
      ),
    ),
  );
  const { send, record, edge } = await useEdge(upstream.port);
  expect(await send(upgrade())).toBe("");
  await upstream.wires[0]!.untilEnded();
  expect(await record()).toMatchObject({
    error: "upstream-invalid",
    upgraded: false,
  });
  expect(edge.stats().upgrades).toBe(0);
});

test("an upgrade for nobody's name is answered like any request", async () => {
  const upstream = await useRawUpstream();
  const { send, record } = await useEdge(upstream.port);
  expect(await send(upgrade().replace("app.test", "no.test"))).toMatch(
    /^HTTP\/1.1 404 [^]*tunnel-unknown/,
  );
  expect(await record()).toMatchObject({ status: 404, upgraded: false });
});

test("an upgrade behind a request that is not answered yet ends the connection", async () => {
  const upstream = await useRawUpstream();
  const { connect } = await useEdge(upstream.port);
  const wire = await connect();
  wire.write(request("GET", "/") + upgrade());
  expect(await wire.untilEnded()).toBe("");
});

test("WebSockets above the tunnel's limit are answered with 503", async () => {
  const { dial, send } = await useEchoEdge({
    limits: { upgradesPerTunnel: 1 },
  });
  await dial();
  expect(await send(upgrade())).toMatch(/^HTTP\/1.1 503 [^]*tunnel-busy/);
});

test("a WebSocket works over a channel that is no socket, and feels the pressure of its link", async () => {
  const upstream = await useRawUpstream((wire) =>
    wire.when("\r\n\r\n", () => wire.write(SWITCH)),
  );
  const { connect, tunnel } = await useEdge(upstream.port);
  const { forward } = tunnel;
  let full = false;
  const drained: (() => void)[] = [];
  const connectTcp = forward.connect.bind(forward);
  const channels: Forward["connect"] = async (visitor) => {
    const { stream: socket } = await connectTcp(visitor);
    const stream = Duplex.from({ readable: socket, writable: socket });
    expect("setNoDelay" in stream).toBe(false);
    return {
      stream,
      link: {
        isFull: () => full,
        onceDrained: (callback) => drained.push(callback),
      },
    };
  };
  Object.assign(forward, { connect: channels });
  const wire = await connect();
  wire.write(upgrade());
  await wire.until("101");
  full = true;
  wire.write("x".repeat(100));
  const server = upstream.wires[0]!;
  await server.until(/x{100}$/);
  // What comes while the link is full waits in the edge and in the kernel.
  wire.write("y".repeat(100));
  while (drained.length === 0) await new Promise(setImmediate);
  // Had it gone out, it would have been there before what is asked now.
  const other = await connect();
  other.write(request("GET", "/"));
  await (await upstream.wire(1)).until("\r\n\r\n");
  expect(server.text).not.toMatch(/y{9}/);
  full = false;
  for (const callback of drained.splice(0)) callback();
  await server.until(/y{100}$/);
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
