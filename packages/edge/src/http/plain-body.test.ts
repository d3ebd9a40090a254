// Bodies of a known length: whether the lane or Node reads them, the same rules hold, and nobody may notice which it was.
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  get,
  request as plainRequest,
  useCannedUpstream,
  useEdge,
  useRawUpstream,
} from "./edge.fixture.ts";
import { MAX_DRAINED_BYTES } from "./limits.ts";
import { useWire, type Wire } from "./wire.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Without the space behind the colon it is for Node to read.
const oddRequest: typeof plainRequest = (method, path, headers = [], body) =>
  plainRequest(method, path, ["X-Odd:1", ...headers], body);

describe.each([
  ["in the lane", plainRequest],
  ["by Node", oddRequest],
])("a body that is read %s", (_, request) => {
  const post = (length: number, body: string, ...headers: string[]): string =>
    request("POST", "/", [`Content-Length: ${length}`, ...headers], body);

  test("goes out with its head in one piece when it came so", async () => {
    const upstream = await useRawUpstream();
    const { connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    const pieces: string[] = [];
    wire.write(request("PUT", "/", ["Content-Length: 3"], "abc"));
    const server = await upstream.wire();
    server.socket.on("data", (piece: string) => pieces.push(piece));
    await server.until(/\r\n\r\nabc$/);
    server.write(OK);
    await wire.until(/ok$/);
    expect(await record()).toMatchObject({ bytesIn: 3, bytesOut: 2 });
    expect(server.text).toBe(pieces.join(""));
    expect(pieces).toHaveLength(1);
  });

  test("keeps its bytes while it waits, whatever else is read", async () => {
    const upstream = await useRawUpstream();
    const { connect, forward } = await useEdge(upstream.port);
    let open = (): void => {};
    forward.gate = new Promise((resolve) => (open = resolve));
    const wire = await connect();
    wire.write(post(10, "12345"));
    while (forward.connects < 1) await setImmediate();
    const other = await connect();
    other.write(request("POST", "/", ["Content-Length: 300"], "x".repeat(300)));
    while (forward.connects < 2) await setImmediate();
    wire.write("67890");
    other.write("yyyyy");
    await setImmediate();
    open();
    const [first, second] = [await upstream.wire(0), await upstream.wire(1)];
    const holds = async (server: Wire): Promise<string> =>
      (await server.until(/\r\n\r\n(?:1234567890|x{300})$/)).slice(-10);
    expect(new Set([await holds(first), await holds(second)])).toEqual(
      new Set(["1234567890", "xxxxxxxxxx"]),
    );
  });

  test("that nobody takes yet waits at its visitor but for a little, and then goes on whole", async () => {
    const upstream = await useRawUpstream();
    const { port, forward } = await useEdge(upstream.port);
    let open = (): void => {};
    forward.gate = new Promise((resolve) => (open = resolve));
    const wire = await useWire(port);
    const size = 32 * 1024 * 1024;
    const body = Buffer.alloc(size, "0123456789abcde");
    wire.write(post(size, ""));
    wire.socket.write(body);
    while (forward.connects === 0) await setImmediate();
    // Kernel buffers on loopback take a few MiB.
    expect(await untilStuck(wire)).toBeLessThan(size);
    open();
    const server = await upstream.wire();
    await arrives(server, body);
    server.write(OK);
    await wire.until("ok");
  });

  test("keeps its bytes while its upstream does not read them, whatever else is read", async () => {
    const upstream = await useRawUpstream((wire, index) => {
      if (index === 0) wire.socket.pause();
      else wire.when("\r\n\r\n", () => wire.write(OK));
    });
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    const body = Buffer.alloc(32 * 1024 * 1024, "0123456789abcde");
    wire.write(post(body.length, ""));
    wire.socket.write(body);
    const server = await upstream.wire();
    await untilStuck(wire);
    const other = await connect();
    other.write(get("/", `X: ${"z".repeat(7_000)}`));
    await other.untilEnded();
    server.socket.resume();
    await arrives(server, body);
  });

  test("that was answered before it had come is read to its end, and the next request served", async () => {
    const upstream = await useRawUpstream((wire) =>
      wire.when("\r\n\r\n", () => wire.write(OK)),
    );
    const { connect, record, records, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(post(100_000, "x".repeat(10)));
    await wire.until(/ok$/);
    expect(await record()).toMatchObject({ status: 200 });
    wire.write("y".repeat(50_000));
    wire.write("z".repeat(49_990));
    wire.write(request("POST", "/next", ["Content-Length: 1"], "n"));
    await wire.until(/ok[^]*ok$/);
    await record(1);
    // No limit is left of the time when it was dropped.
    await advance(5_001);
    wire.write(get("/last"));
    await wire.until(/ok[^]*ok[^]*ok$/);
    await record(2);
    expect(records.map(({ target }) => target)).toEqual([
      "/",
      "/next",
      "/last",
    ]);
    // Its connection was in a state that nobody knows.
    await upstream.wires[0]!.untilEnded();
    expect(upstream.wires[1]!.text).toMatch(/^POST \/next [^]*\r\n\r\nn$/);
  });

  test("that was refused before it had come is read, so that its visitor sees why", async () => {
    const upstream = await useRawUpstream();
    const { port } = await useEdge(upstream.port);
    const wire = await useWire(port, { allowHalfOpen: true });
    wire.write(
      post(1_000_000, "x").replace("Host: app.test", "Host: app..test"),
    );
    await wire.until("host-invalid");
    expect(await wire.untilEnded()).toMatch(
      /^HTTP\/1.1 400 [^]*\r\nConnection: close\r\n/,
    );
    wire.socket.end("x".repeat(999_999) + get("/late"));
    await wire.untilClosed();
    expect(wire.ended).toBe("end");
    expect(wire.text.match(/HTTP\/1.1/g)).toHaveLength(1);
    expect(upstream.wires).toHaveLength(0);
  });

  test("that its visitor called the last one is read after an early answer, not answered with a reset", async () => {
    const upstream = await useCannedUpstream(OK);
    const { port, records } = await useEdge(upstream.port);
    const wire = await useWire(port, { allowHalfOpen: true });
    wire.write(post(1_000_000, "x", "Connection: close"));
    expect(await wire.untilEnded()).toMatch(/\r\nConnection: close\r\n[^]*ok$/);
    wire.socket.end("x".repeat(999_999) + get("/late"));
    await wire.untilClosed();
    expect(wire.ended).toBe("end");
    expect(records).toHaveLength(1);
  });

  test("is not read for ever once it was answered", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(post(10 * MAX_DRAINED_BYTES, "x"));
    await wire.until("ok");
    wire.socket.write(Buffer.alloc(3 * MAX_DRAINED_BYTES));
    await wire.untilEnded();
    expect(wire.socket.bytesWritten).toBeLessThan(10 * MAX_DRAINED_BYTES);
  });

  test("is dropped only for so long once it was answered", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(post(10, "12345"));
    await wire.until("ok");
    await advance(5_001);
    await wire.untilClosed();
  });

  test("that stops coming is answered with 408", async () => {
    const upstream = await useRawUpstream();
    const { connect, record, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(post(10, "12345"));
    await (await upstream.wire()).until("12345");
    await advance(60_001);
    await wire.until(
      /^HTTP\/1.1 408 [^]*\r\nExpose-Error: request-timeout\r\n/,
    );
    await upstream.wires[0]!.untilEnded();
    expect((await record()).bytesIn).toBe(5);
  });

  test.each(["a reset", "an end"])(
    "ends the upstream's connection when its visitor leaves with %s",
    async (how) => {
      const upstream = await useRawUpstream();
      const { connect, record, edge } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(post(10, "12345"));
      const server = await upstream.wire();
      await server.until("12345");
      if (how === "an end") wire.socket.end();
      else wire.socket.resetAndDestroy();
      await server.untilEnded();
      expect(await record()).toMatchObject({ status: 0, bytesIn: 5 });
      expect(edge.stats().requests).toBe(0);
    },
  );

  test.each(["a reset", "an end"])(
    "is forgotten when its visitor leaves with %s while it waits for a connection",
    async (how) => {
      const upstream = await useRawUpstream();
      const { connect, forward, record } = await useEdge(upstream.port);
      let open = (): void => {};
      forward.gate = new Promise((resolve) => (open = resolve));
      const wire = await connect();
      wire.write(post(10, "12345"));
      while (forward.connects === 0) await setImmediate();
      if (how === "an end") wire.socket.end();
      else wire.socket.resetAndDestroy();
      expect(await record()).toMatchObject({ status: 0, bytesIn: 0 });
      open();
    },
  );

  test("may end in half after its answer, and no one waits for the rest", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(post(10, "12345"));
    await wire.until("ok");
    wire.socket.end();
    await wire.untilClosed();
    expect(wire.ended).toBe("end");
  });

  test("whose upstream fails is answered for, and the rest of it dropped", async () => {
    const upstream = await useRawUpstream();
    const { connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(post(10, "12345"));
    const server = await upstream.wire();
    await server.until("12345");
    server.socket.resetAndDestroy();
    await wire.until(/^HTTP\/1.1 502 /);
    wire.write(`67890${request("GET", "/next")}`);
    await (await upstream.wire(1)).until("GET /next");
    expect(await record()).toMatchObject({ status: 502, bytesIn: 5 });
  });

  test("is never taken for a request, nor a request for it", async () => {
    const upstream = await useRawUpstream();
    const { connect, record, records } = await useEdge(upstream.port);
    const hidden = plainRequest("GET", "/second");
    const wire = await connect();
    wire.write(post(hidden.length, hidden.slice(0, 20)));
    const server = await upstream.wire();
    await server.until(hidden.slice(0, 20));
    wire.write(hidden.slice(20) + get("/third"));
    await server.until(hidden);
    server.write(OK);
    await server.until("GET /third");
    server.write(OK);
    expect((await wire.untilEnded()).match(/ok/g)).toHaveLength(2);
    await record(1);
    expect(records.map(({ target }) => target)).toEqual(["/", "/third"]);
    expect(records[0]!.bytesIn).toBe(hidden.length);
    expect(upstream.wires).toHaveLength(1);
  });
});

// How much a visitor has got rid of when no more is taken.
async function untilStuck({ socket }: Wire): Promise<number> {
  const sent = (): number => socket.bytesWritten - socket.writableLength;
  for (let before = -1; ;) {
    if (before === sent()) return before;
    before = sent();
    for (let turns = 0; turns < 200; turns++) await setImmediate();
  }
}

async function arrives(server: Wire, body: Buffer): Promise<void> {
  const head = (await server.until("\r\n\r\n")).indexOf("\r\n\r\n") + 4;
  while (server.text.length < head + body.length) await setImmediate();
  expect(server.text.slice(head) === body.toString("latin1")).toBe(true);
}

test("random requests with bodies, divided anywhere, reach the upstream as Node alone would pass them on", async () => {
  const upstream = await useRawUpstream((wire) =>
    wire.socket.on("data", () => {
      if (wire.text.endsWith("|end")) wire.write(OK);
    }),
  );
  const { connect, record, records } = await useEdge(upstream.port);
  let count = 0;

  // What arrives of a request whose bytes come in these pieces, behind one that makes Node read the connection or not.
  const passOn = async (pieces: string[], byNode: boolean): Promise<string> => {
    const wire = await connect();
    wire.socket.setNoDelay(true);
    if (byNode) {
      wire.write(oddRequest("POST", "/odd", ["Content-Length: 4"], "|end"));
      await wire.until("ok");
      count++;
    }
    for (const piece of pieces) {
      wire.write(piece);
      for (let turns = 0; turns < 2; turns++) await setImmediate();
    }
    await wire.until(byNode ? /ok[^]*ok$/ : /ok$/);
    expect(await record(count++)).toMatchObject({ status: 200 });
    const arrived = upstream.wires.map(({ text }) => text).join("");
    for (const server of upstream.wires) server.text = "";
    wire.socket.destroy();
    return arrived.slice(arrived.lastIndexOf("\r\nX-Mark: 1"));
  };

  await fc.assert(
    fc.asyncProperty(validPost, async (text) => {
      const expected = await passOn([text], true);
      expect(expected).toMatch(/\|end$/);
      for (let at = 1; at < text.length; at++)
        expect(await passOn([text.slice(0, at), text.slice(at)], false)).toBe(
          expected,
        );
    }),
    { numRuns: 8, seed: 1, endOnFailure: true },
  );
  expect(records).toHaveLength(count);
}, 120_000);

const validPost = fc
  .record({
    method: fc.constantFrom("POST", "PUT", "PATCH", "DELETE"),
    target: fc.constantFrom("/", "/a?b=c", "//%2F"),
    fields: fc.array(
      fc.constantFrom("Accept: */*", "x-a: b  c", "A!: \xe9", "Cookie: a=b"),
      { maxLength: 3 },
    ),
    body: fc
      .string({ unit: fc.constantFrom("\r\n", "GET / HTTP/1.1", "\0", "\xff") })
      .map((text) => `${text.slice(0, 40)}|end`),
  })
  .map(({ method, target, fields, body }) =>
    plainRequest(
      method,
      target,
      ["X-Mark: 1", ...fields, `Content-Length: ${body.length}`],
      body,
    ),
  );
