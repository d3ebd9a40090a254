// Channels served by real local services.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import type { JoinResult, UpstreamSpec } from "@expose/protocol";
import { expect, onTestFinished, test } from "vitest";
import { createUpstream, type Upstream } from "./upstream.ts";
import {
  freePort,
  readAll,
  useChannel,
  useFolder,
  usePython,
  useServer,
} from "./use-servers.ts";

const tcp = (port: number, host = "127.0.0.1"): UpstreamSpec => ({
  kind: "tcp",
  host,
  port,
});
const echo = (socket: net.Socket): void => void socket.pipe(socket);

test("bytes pass both ways unchanged and are counted", async () => {
  const server = await useServer(echo);
  const upstream = useUpstream(tcp(server.port));
  const { visitor, result } = await useServed(upstream);
  const bytes = randomBytes(3_000_000);
  visitor.end(bytes);
  expect((await readAll(visitor)).equals(bytes)).toBe(true);
  expect(await result).toEqual({
    bytesAToB: bytes.length,
    bytesBToA: bytes.length,
  });
  expect(upstream.openConnections).toBe(0);
});

test("the local service is dialled at the first byte and not before", async () => {
  const server = await useServer(echo);
  const upstream = useUpstream(tcp(server.port));
  const idle = await useServed(upstream);
  const busy = await useServed(upstream);
  busy.visitor.write("x");
  await once(busy.visitor, "data");
  expect(server.sockets).toHaveLength(1);
  expect(upstream.openConnections).toBe(2);

  idle.visitor.end();
  expect(await idle.result).toEqual({ bytesAToB: 0, bytesBToA: 0 });
  expect(await readAll(idle.visitor)).toHaveLength(0);
  expect(upstream.openConnections).toBe(1);
  expect(server.sockets).toHaveLength(1);
});

test("idle channels do not hold up a single-threaded server", async () => {
  const port = await usePython(`
from wsgiref.simple_server import make_server
count = 0
def app(environ, start_response):
    global count
    count += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"request %d" % count]
server = make_server("127.0.0.1", 0, app)
print(server.server_port)
server.serve_forever()
`);
  const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const upstream = useUpstream(tcp(port));
  await useServed(upstream);
  await useServed(upstream);
  const { visitor } = await useServed(upstream);
  visitor.write(request);
  expect((await readAll(visitor)).toString()).toMatch(/request 1$/);

  // The counter-proof: a connection that is idle at first holds up everybody behind it.
  const idle = net.connect(port, "127.0.0.1");
  await once(idle, "connect");
  const next = await useServed(upstream);
  next.visitor.write(request);
  await expect.poll(() => next.channel.bytesRead).toBe(request.length);
  idle.write(request);
  expect((await readAll(idle)).toString()).toMatch(/request 2$/);
  expect((await readAll(next.visitor)).toString()).toMatch(/request 3$/);
});

test("an eager upstream is dialled at once, so that the server can speak first", async () => {
  const server = await useServer(
    (socket) => void socket.write("220 ready\r\n"),
  );
  const upstream = useUpstream(tcp(server.port), { eager: true });
  const { visitor } = await useServed(upstream);
  const [greeting] = (await once(visitor, "data")) as [Buffer];
  expect(greeting.toString()).toBe("220 ready\r\n");
});

test("the visitor's end is passed on and the answer still comes", async () => {
  const server = await useServer(async (socket) => {
    const request = await readAll(socket);
    socket.end(`${request.length} bytes`);
  });
  const { visitor, result } = await useServed(useUpstream(tcp(server.port)));
  visitor.end("12345");
  expect((await readAll(visitor)).toString()).toBe("5 bytes");
  expect(await result).toEqual({ bytesAToB: 7, bytesBToA: 5 });
});

test("what is sent while the dial is under way arrives complete and in order", async () => {
  const port = await freePort();
  const upstream = useUpstream(tcp(port));
  const { visitor, channel } = await useServed(upstream);
  const bytes = randomBytes(2_000_000);
  visitor.end(bytes);
  await expect.poll(() => channel.isPaused()).toBe(true);
  expect(channel.bytesRead).toBeLessThan(500_000);
  await useServer(echo, { port, host: "127.0.0.1" });
  expect((await readAll(visitor)).equals(bytes)).toBe(true);
});

test.each(["::1", "127.0.0.1"])(
  "localhost is found when it listens on %s alone",
  async (host) => {
    const server = await useServer(echo, { port: 0, host });
    const upstream = useUpstream(tcp(server.port, "localhost"));
    for (let i = 0; i < 2; i++) {
      const { visitor } = await useServed(upstream);
      visitor.end("hello");
      expect((await readAll(visitor)).toString()).toBe("hello");
    }
  },
);

test("a Unix socket is dialled", async () => {
  const path = join(await useFolder(), "app.sock");
  await useServer(echo, { path });
  const { visitor } = await useServed(useUpstream({ kind: "unix", path }));
  visitor.end("hello");
  expect((await readAll(visitor)).toString()).toBe("hello");
});

test("a folder is served like any other service", async () => {
  const path = await useFolder();
  await writeFile(join(path, "index.html"), "<h1>hi</h1>");
  const { visitor, result } = await useServed(
    useUpstream({ kind: "folder", path }),
  );
  visitor.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect((await readAll(visitor)).toString()).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[^]*<h1>hi<\/h1>$/,
  );
  visitor.end();
  expect((await result).error).toBeUndefined();
});

test("a service that was never up fails without a byte, and is reported once", async () => {
  const port = await freePort();
  const upstream = useUpstream(tcp(port));
  const states = useStates(upstream);
  expect(upstream.state).toBe("up");

  const { visitor, result } = await useServed(upstream);
  visitor.write("GET / HTTP/1.1\r\n\r\n");
  expect(await readAll(visitor)).toHaveLength(0);
  const reason = `Nothing listens on 127.0.0.1:${port} (connection refused).`;
  expect(await result).toMatchObject({
    bytesAToB: 0,
    bytesBToA: 18,
    error: { message: reason },
  });
  expect(states).toEqual([["down", reason]]);
  expect(upstream.downReason).toBe(reason);
  expect(upstream.openConnections).toBe(0);

  const second = await useServed(upstream);
  second.visitor.write("x");
  await second.result;
  expect(states).toHaveLength(1);
});

test("a short restart of the service is bridged, and nobody hears of it", async () => {
  const first = await useServer(echo);
  const upstream = useUpstream(tcp(first.port));
  const states = useStates(upstream);
  const before = await useServed(upstream);
  before.visitor.end("1");
  expect((await readAll(before.visitor)).toString()).toBe("1");

  await first.stop();
  const during = await Promise.all(
    Array.from({ length: 20 }, () => useServed(upstream)),
  );
  for (const { visitor } of during) visitor.end("2");
  // All of them have been refused by now.
  await expect
    .poll(() => during.every(({ channel }) => channel.bytesRead === 1))
    .toBe(true);
  const second = await useServer(echo, {
    port: first.port,
    host: "127.0.0.1",
  });
  for (const { visitor } of during)
    expect((await readAll(visitor)).toString()).toBe("2");
  expect(second.sockets).toHaveLength(20);
  expect(states).toEqual([]);
});

test("a service that stays away is reported once, and again when it is back", async () => {
  const first = await useServer(echo);
  const upstream = useUpstream(tcp(first.port), { bridgeMs: 300 });
  const states = useStates(upstream);
  const before = await useServed(upstream);
  before.visitor.end("1");
  await readAll(before.visitor);
  await first.stop();

  const begin = performance.now();
  const during = await useServed(upstream);
  during.visitor.end("2");
  expect(await readAll(during.visitor)).toHaveLength(0);
  expect(performance.now() - begin).toBeGreaterThanOrEqual(290);
  expect(states.map(([state]) => state)).toEqual(["down"]);

  await useServer(echo, { port: first.port, host: "127.0.0.1" });
  const after = await useServed(upstream);
  after.visitor.end("3");
  expect((await readAll(after.visitor)).toString()).toBe("3");
  expect(states.map(([state]) => state)).toEqual(["down", "up"]);
  expect(upstream.downReason).toBeUndefined();
});

test("a visitor who leaves while the service is away leaves nothing behind", async () => {
  const first = await useServer(echo);
  const upstream = useUpstream(tcp(first.port));
  const before = await useServed(upstream);
  before.visitor.end("1");
  await readAll(before.visitor);
  await first.stop();

  const { visitor, channel, result } = await useServed(upstream);
  visitor.write("GET");
  await expect.poll(() => channel.bytesRead).toBe(3);
  visitor.resetAndDestroy();
  expect(await result).toMatchObject({ error: expect.any(Error) });
  expect(upstream.openConnections).toBe(0);

  const second = await useServer(echo, {
    port: first.port,
    host: "127.0.0.1",
  });
  const after = await useServed(upstream);
  after.visitor.end("2");
  await readAll(after.visitor);
  expect(second.sockets).toHaveLength(1);
});

test("a visitor's abort reaches the service, and the service's the visitor", async () => {
  const server = await useServer(() => {});
  const upstream = useUpstream(tcp(server.port));
  const leaves = await useServed(upstream);
  leaves.visitor.write("POST");
  await expect.poll(() => server.sockets.length).toBe(1);
  leaves.visitor.resetAndDestroy();
  await readAll(server.sockets[0]!);
  await leaves.result;

  const left = await useServed(upstream);
  left.visitor.write("POST");
  await expect.poll(() => server.sockets.length).toBe(2);
  server.sockets[1]!.resetAndDestroy();
  expect(await left.result).toMatchObject({ error: expect.any(Error) });
  await readAll(left.visitor);
  expect(upstream.openConnections).toBe(0);
});

test("close cuts what is open, dialled or idle, and refuses what comes later", async () => {
  const server = await useServer(() => {});
  const upstream = useUpstream(tcp(server.port));
  const joined = await useServed(upstream);
  const idle = await useServed(upstream);
  joined.visitor.write("x");
  await expect.poll(() => server.sockets.length).toBe(1);
  const away = useUpstream(tcp(await freePort()));
  const waiting = await useServed(away);
  waiting.visitor.write("x");
  await expect.poll(() => waiting.channel.bytesRead).toBe(1);

  await Promise.all([upstream.close(), away.close()]);
  for (const { visitor, result } of [joined, idle, waiting]) {
    expect(await result).toMatchObject({ error: expect.any(Error) });
    expect(await readAll(visitor)).toHaveLength(0);
  }
  const late = await useServed(upstream);
  expect(await late.result).toMatchObject({ error: expect.any(Error) });
  expect(upstream.openConnections + away.openConnections).toBe(0);
  await upstream.close();
});

test("a refused host name is hinted at once, and the bytes are untouched", async () => {
  const refusal =
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 56\r\n\r\n" +
    'Blocked request. This host ("shop.example") is not allow';
  const server = await useServer((socket) => {
    socket.on("data", () => socket.write(refusal));
  });
  const hints: unknown[] = [];
  const upstream = useUpstream(tcp(server.port), {
    onHint: (hint) => hints.push(hint),
    publicUrl: () => "https://shop.tunnel.example.com",
  });
  for (let i = 0; i < 2; i++) {
    const { visitor } = await useServed(upstream);
    visitor.write("GET");
    const [answer] = (await once(visitor, "data")) as [Buffer];
    expect(answer.toString()).toBe(refusal);
  }
  expect(hints).toEqual([
    {
      code: "host-refused",
      message: "Vite refuses the host name shop.tunnel.example.com.",
      fix: '--host-header rewrite, or server: { allowedHosts: [".tunnel.example.com"] } in vite.config.js',
    },
  ]);
});

function useUpstream(
  spec: UpstreamSpec,
  options?: Parameters<typeof createUpstream>[1],
): Upstream {
  const upstream = createUpstream(spec, options);
  onTestFinished(() => upstream.close());
  return upstream;
}

async function useServed(upstream: Upstream) {
  const { visitor, channel } = await useChannel();
  const result = new Promise<JoinResult>((resolve) =>
    upstream.serve(channel, undefined, resolve),
  );
  return { visitor, channel, result };
}

function useStates(upstream: Upstream) {
  const states: [state: string, reason: string | undefined][] = [];
  upstream.onStateChange((state, reason) => states.push([state, reason]));
  return states;
}
