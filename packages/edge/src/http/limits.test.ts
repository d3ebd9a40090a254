import { describe, expect, test } from "vitest";
import {
  get,
  request,
  useCannedUpstream,
  useEdge,
  useRawUpstream,
} from "./edge.fixture.ts";
import { visitorKey } from "./visitor-key.ts";
import { useWire } from "./wire.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("a request's head", () => {
  test("above the limit of bytes is answered with 431", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send, record } = await useEdge(upstream.port, {
      limits: { requestHeadBytes: 4_096 },
    });
    const text = await send(get("/", `X: ${"x".repeat(5_000)}`));
    expect(text).toMatch(
      /^HTTP\/1.1 431 [^]*\r\nExpose-Error: headers-too-large\r\n/,
    );
    expect(await record()).toMatchObject({
      status: 431,
      error: "headers-too-large",
      method: "",
    });
  });

  test("above the limit of fields is answered with 431, and no field is dropped in silence", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send } = await useEdge(upstream.port, {
      limits: { headerFields: 1_500 },
    });
    expect(await send(get("/", ...Array(1_499).fill("A: 1")))).toMatch(
      /^HTTP\/1.1 431 /,
    );
    await send(get("/", ...Array(1_498).fill("A: 1")));
    expect(upstream.wires[0]!.text.match(/^A: 1\r$/gm)).toHaveLength(1_498);
  });

  test("that does not come in time is answered with 408, and a connection that sends nothing is closed", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, records, record, advance } = await useEdge(upstream.port, {
      timeouts: { headersMs: 50, sweepMs: 10 },
    });
    const [slow, silent] = [await connect(), await connect()];
    slow.write("GET / HTTP/1.1\r\nHost: app");
    expect(await slow.untilEnded()).toMatch(
      /^HTTP\/1.1 408 [^]*\r\nExpose-Error: request-timeout\r\n/,
    );
    await advance(51);
    expect(await silent.untilEnded()).toBe("");
    expect(await record()).toMatchObject({
      status: 408,
      error: "request-timeout",
    });
    expect(records).toHaveLength(1);
  });

  test("that is malformed is answered with 400", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send, record } = await useEdge(upstream.port);
    expect(await send("\u0016\u0003\u0001\u0002\u0000")).toMatch(
      /^HTTP\/1.1 400 [^]*\r\nConnection: close\r\n/,
    );
    expect(await record()).toMatchObject({
      status: 400,
      error: "request-invalid",
    });
  });

  test("that ends before it is complete is answered with 400, since its visitor may still read", async () => {
    const upstream = await useCannedUpstream(OK);
    const { port } = await useEdge(upstream.port);
    const wire = await useWire(port, { allowHalfOpen: true });
    wire.socket.end("GET / HTTP/1.1\r\nHost: app.t");
    expect(await wire.untilEnded()).toMatch(/^HTTP\/1.1 400 /);
  });

  test("that is malformed behind a request leaves that one its answer", async () => {
    const upstream = await useRawUpstream();
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(`${request("GET", "/1")}NONSENSE\r\n\r\n`);
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    server.write(OK);
    const text = await wire.untilEnded();
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
    expect(text).toMatch(/ok$/);
  });
});

describe("a request's body", () => {
  test("that stops coming is answered with 408", async () => {
    const upstream = await useRawUpstream();
    const { connect, record, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("POST", "/", ["Content-Length: 10"], "12345"));
    await (await upstream.wire()).until("12345");
    await advance(60_001);
    await wire.until(
      /^HTTP\/1.1 408 [^]*\r\nExpose-Error: request-timeout\r\n/,
    );
    await upstream.wires[0]!.untilEnded();
    expect((await record()).bytesIn).toBe(5);
  });

  test("that moves is not cut, however slow", async () => {
    const upstream = await useRawUpstream();
    const { connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("POST", "/", ["Content-Length: 5"]));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    for (let sent = 1; sent <= 5; sent++) {
      await advance(40_000);
      wire.write("x");
      await server.until(new RegExp(`\r\n\r\nx{${sent}}$`));
    }
    server.write(OK);
    await wire.until(/ok$/);
  });

  test("is dropped only for so long once it was answered", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(
      `POST / HTTP/1.1\r\nHost: no.test\r\nContent-Length: 10\r\n\r\n12345`,
    );
    await wire.until("\r\n\r\n");
    await advance(5_001);
    expect(await wire.untilEnded()).toMatch(/^HTTP\/1.1 404 /);
  });
});

describe("an upstream", () => {
  test("that does not begin to answer in time is answered for with 504", async () => {
    const upstream = await useRawUpstream();
    const { connect, record, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/"));
    await (await upstream.wire()).until("\r\n\r\n");
    await advance(300_001);
    await wire.until(
      /^HTTP\/1.1 504 [^]*\r\nExpose-Error: upstream-timeout\r\n/,
    );
    await upstream.wires[0]!.untilEnded();
    expect((await record()).error).toBe("upstream-timeout");
  });

  test("may take as long as it likes where the operator says so", async () => {
    const upstream = await useRawUpstream();
    const { connect, advance } = await useEdge(upstream.port, {
      timeouts: { firstByteMs: 0 },
    });
    const wire = await connect();
    wire.write(request("GET", "/"));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    await advance(1_000_000);
    server.write(OK);
    await wire.until(/ok$/);
  });

  test("may pause in its answer for as long as it likes", async () => {
    const upstream = await useRawUpstream();
    const { connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/"));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    server.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    await wire.until("hello");
    await advance(1_000_000);
    server.write("world");
    await wire.until("helloworld");
  });

  test("that pauses in its answer is cut off where the operator minds", async () => {
    const upstream = await useRawUpstream();
    const { connect, record, advance } = await useEdge(upstream.port, {
      timeouts: { responseIdleMs: 7_000 },
    });
    const wire = await connect();
    wire.write(request("GET", "/"));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    server.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    await wire.until("hello");
    await advance(7_001);
    expect(await wire.untilEnded()).toMatch(/hello$/);
    expect(await record()).toMatchObject({
      status: 200,
      error: "upstream-timeout",
    });
  });

  test("whose connection does not open in time is given up", async () => {
    const upstream = await useRawUpstream();
    const { connect, forward, advance } = await useEdge(upstream.port);
    forward.gate = new Promise(() => {});
    const wire = await connect();
    wire.write(get());
    while (forward.connects === 0) await new Promise(setImmediate);
    await advance(30_001);
    expect(await wire.untilEnded()).toMatch(
      /\r\nExpose-Error: forward-failed\r\n/,
    );
  });
});

describe("a tunnel", () => {
  test("with too many requests in flight answers 503, and another one is not affected", async () => {
    const upstream = await useRawUpstream();
    const { connect, port, send, record } = await useEdge(upstream.port, {
      limits: { requestsPerTunnel: 2 },
    });
    (await connect()).write(request("GET", "/1"));
    const other = await useWire(port, { localAddress: "127.0.0.2" });
    other.write(request("GET", "/2"));
    await upstream.wire(1);
    const text = await send(get("/3"));
    expect(text).toMatch(
      /^HTTP\/1.1 503 [^]*\r\nExpose-Error: tunnel-busy\r\n[^]*Retry-After: 1\r\n/,
    );
    expect(await record()).toMatchObject({
      tunnel: "app",
      error: "tunnel-busy",
    });
  });

  test("with all its connections in use lets requests wait, and serves them in order", async () => {
    const upstream = await useRawUpstream();
    const { connect, forward, edge } = await useEdge(upstream.port, {
      limits: { connectionsPerTunnel: 1 },
    });
    const wires = [];
    for (const path of ["/1", "/2", "/3"]) {
      const wire = await connect();
      wire.write(request("GET", path));
      wires.push(wire);
      while (edge.stats().requests < wires.length)
        await new Promise(setImmediate);
    }
    const server = await upstream.wire();
    for (const [index, wire] of wires.entries()) {
      await server.until(`/${index + 1}`);
      expect(server.text).not.toContain(`/${index + 2}`);
      server.write(OK);
      await wire.until(/ok$/);
    }
    expect(forward.connects).toBe(1);
  });

  test("that stays full for too long answers 503", async () => {
    const upstream = await useRawUpstream();
    const { connect, advance, edge } = await useEdge(upstream.port, {
      limits: { connectionsPerTunnel: 1 },
    });
    (await connect()).write(request("GET", "/"));
    await (await upstream.wire()).until("\r\n\r\n");
    const wire = await connect();
    wire.write(get());
    while (edge.stats().requests < 2) await new Promise(setImmediate);
    await advance(30_001);
    expect(await wire.untilEnded()).toMatch(
      /\r\nExpose-Error: tunnel-busy\r\n/,
    );
  });
});

describe("a visitor", () => {
  test("with too many connections is answered with 429 on those above, and others are served", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, port, edge } = await useEdge(upstream.port, {
      limits: { connectionsPerVisitor: 2 },
    });
    const within = [await connect(), await connect()];
    const above = await connect();
    above.write(get());
    expect(await above.untilEnded()).toMatch(
      /^HTTP\/1.1 429 [^]*\r\nExpose-Error: visitor-busy\r\n[^]*Retry-After: 10\r\n/,
    );
    const other = await useWire(port, { localAddress: "127.0.0.2" });
    for (const wire of [...within, other]) {
      wire.write(request("GET", "/"));
      await wire.until(/ok$/);
    }
    expect(edge.stats().refusedConnections).toBe(1);
    // One that leaves makes room.
    within[0]!.socket.destroy();
    while (edge.stats().connections > 2) await new Promise(setImmediate);
    const next = await connect();
    next.write(request("GET", "/"));
    await next.until(/ok$/);
  });

  test("that is a trusted proxy has no such limit", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect } = await useEdge(upstream.port, {
      limits: { connectionsPerVisitor: 1 },
      trustedProxies: ["127.0.0.1"],
    });
    for (const wire of [await connect(), await connect(), await connect()]) {
      wire.write(request("GET", "/"));
      await wire.until(/ok$/);
    }
  });

  test("above the limit of all connections is closed without a word", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, send, edge } = await useEdge(upstream.port, {
      limits: { connections: 1 },
    });
    const first = await connect();
    expect(await send(get())).toBe("");
    expect(edge.stats().refusedConnections).toBe(1);
    first.write(request("GET", "/"));
    await first.until(/ok$/);
  });

  test("that pipelines more than anybody does is disconnected", async () => {
    const upstream = await useRawUpstream();
    const { connect, edge } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/").repeat(200));
    await wire.untilEnded();
    while (edge.stats().requests > 0) await new Promise(setImmediate);
  });

  test("that does not read what waits for it is disconnected", async () => {
    const upstream = await useCannedUpstream(
      `HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n${"x".repeat(20_000_000)}`,
    );
    const { connect, records, record, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.socket.pause();
    wire.write(request("GET", "/"));
    while (records.length === 0) {
      await advance(10_000);
    }
    expect(await record()).toMatchObject({ status: 200, error: undefined });
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["2001:db8:0:0:ffff::1", "2001:db8:0:0"],
    ["2001:0DB8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["::1", "0:0:0:0"],
    ["fe80::", "fe80:0:0:0"],
    ["", ""],
  ])("at %s counts as %s", (address, key) => {
    expect(visitorKey(address)).toBe(key);
  });
});

test("a pooled connection is closed when it has waited long enough", async () => {
  const upstream = await useCannedUpstream(OK);
  const { connect, edge, advance } = await useEdge(upstream.port);
  const wire = await connect();
  wire.write(request("GET", "/"));
  await wire.until(/ok$/);
  expect(edge.stats().upstreamConnections).toBe(1);
  await advance(4_001);
  await upstream.wires[0]!.untilEnded();
});
