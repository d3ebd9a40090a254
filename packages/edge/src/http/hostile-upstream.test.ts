// Upstreams that lie, flood and die. None of it may reach another visitor, pass for a whole answer, or end the edge.
import { describe, expect, test } from "vitest";
import {
  get,
  request,
  unusedPort,
  useCannedUpstream,
  useEdge,
  useRawUpstream,
} from "./edge.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("an answer that is no HTTP/1.1 is answered with 502:", () => {
  test.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n"],
    [
      "both framings",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    [
      "two lengths",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    ],
    ["a split head", "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: x\r\n\r\n"],
    ["folded lines", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    [
      "switching protocols unasked",
      "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    [
      "a flood of interim answers",
      "HTTP/1.1 102 Processing\r\n\r\n".repeat(100),
    ],
    ["a head without end", `HTTP/1.1 200 OK\r\nA: ${"a".repeat(70_000)}`],
    ["fields without end", `HTTP/1.1 200 OK\r\n${"A: 1\r\n".repeat(600)}\r\n`],
  ])("%s", async (_, answer) => {
    const upstream = await useCannedUpstream(answer);
    const { send, record } = await useEdge(upstream.port);
    const text = await send(get());
    expect(text).toMatch(
      /^HTTP\/1.1 502 [^]*\r\nExpose-Error: upstream-invalid\r\n/,
    );
    expect(text).not.toMatch(/OpenSSH|Set-Cookie|aaaa/);
    expect(await record()).toMatchObject({
      status: 502,
      error: "upstream-invalid",
    });
    await upstream.wires[0]!.untilEnded();
  });
});

describe("an answer that is cut short ends the visitor's connection without an end of its own:", () => {
  test.each([
    [
      "by a length that lies",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
      false,
    ],
    [
      "in the middle of a chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
      false,
    ],
    [
      "between chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      false,
    ],
    [
      "by an invalid chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
      true,
    ],
  ])("%s", async (_, answer, invalid) => {
    const upstream = await useRawUpstream((wire) => {
      wire.when("\r\n\r\n", () => {
        wire.write(answer);
        if (!invalid) wire.socket.end();
      });
    });
    const { send, record } = await useEdge(upstream.port);
    const text = await send(get());
    expect(text).toContain("hello");
    expect(text).not.toMatch(/\r\n0\r\n/);
    expect(await record()).toMatchObject({
      status: 200,
      error: invalid ? "upstream-invalid" : "upstream-closed",
      bytesOut: 5,
    });
  });

  test("by a reset of a connection whose end is the only end, which HTTP/1.0 hears as a reset too", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.when("\r\n\r\n", () => wire.write("HTTP/1.1 200 OK\r\n\r\nhello"));
    });
    const { connect, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
    await wire.until("hello");
    upstream.wires[0]!.socket.resetAndDestroy();
    await wire.untilEnded();
    expect(wire.ended).toBe("error");
    expect((await record()).error).toBe("upstream-closed");
  });
});

test("an answer behind the answer is never anybody's", async () => {
  const upstream = await useRawUpstream((wire, index) => {
    wire.when("\r\n\r\n", () =>
      wire.write(
        index === 0
          ? `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`
          : OK,
      ),
    );
  });
  const { connect } = await useEdge(upstream.port);
  const wire = await connect();
  wire.write(request("GET", "/1"));
  await wire.until(/ok$/);
  await upstream.wires[0]!.untilEnded();
  wire.write(get("/2"));
  expect(await wire.untilEnded()).not.toContain("evil");
  expect(upstream.wires).toHaveLength(2);
});

test("an answer to nobody, sent later on an idle connection, is never anybody's", async () => {
  const upstream = await useRawUpstream((wire) => {
    wire.when("\r\n\r\n", () => wire.write(OK));
  });
  const { connect, forward } = await useEdge(upstream.port);
  const wire = await connect();
  wire.write(request("GET", "/1"));
  await wire.until(/ok$/);
  const first = upstream.wires[0]!;
  first.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  await first.untilEnded();
  wire.write(get("/2"));
  expect(await wire.untilEnded()).not.toContain("evil");
  expect(forward.connects).toBe(2);
});

test("a body longer than it said is cut at what it said", async () => {
  const upstream = await useCannedUpstream(
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more",
  );
  const { send } = await useEdge(upstream.port);
  expect(await send(get())).toMatch(/\r\n\r\nok$/);
});

test("a body where none may be is dropped with its connection", async () => {
  const upstream = await useCannedUpstream(
    "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
  );
  const { connect, forward } = await useEdge(upstream.port);
  const wire = await connect();
  wire.write(request("GET", "/1"));
  await wire.until("\r\n\r\n");
  wire.write(get("/2"));
  expect(await wire.untilEnded()).not.toContain("evil");
  expect(forward.connects).toBe(2);
});

test("a page of the edge's own kind cannot be forged", async () => {
  const upstream = await useCannedUpstream(
    "HTTP/1.1 502 X\r\nexpose-ERROR: upstream-down\r\nContent-Length: 0\r\n\r\n",
  );
  const { send, record } = await useEdge(upstream.port);
  expect(await send(get())).not.toMatch(/expose-error/i);
  expect(await record()).toMatchObject({ status: 502, error: undefined });
});

test("nobody behind the tunnel is told as such, with what the client knows", async () => {
  const upstream = await useRawUpstream((wire) => wire.socket.end());
  const { send, tunnel, record } = await useEdge(upstream.port);
  tunnel.upstreamDown = { reason: "Connection refused." };
  const text = await send(get("/", "Accept: text/html"));
  expect(text).toMatch(
    /^HTTP\/1.1 502 [^]*\r\nExpose-Error: upstream-down\r\n/,
  );
  expect(text).toContain("nothing answers at localhost:8080");
  expect(text).toContain("Connection refused.");
  expect(await record()).toMatchObject({
    error: "upstream-down",
    retried: false,
  });
});

test("a client that cannot reach the local service is told as such", async () => {
  const { send, forward, record } = await useEdge(await unusedPort());
  forward.refuses = "down";
  expect(await send(get())).toMatch(/\r\nExpose-Error: upstream-down\r\n/);
  expect((await record()).status).toBe(502);
});

test("a crash in the middle of the head is told as such", async () => {
  const upstream = await useRawUpstream((wire) => {
    wire.when("\r\n\r\n", () => wire.socket.end("HTTP/1.1 200 OK\r\nA: 1\r\n"));
  });
  const { send, record } = await useEdge(upstream.port);
  expect(await send(get())).toMatch(/\r\nExpose-Error: upstream-closed\r\n/);
  expect((await record()).status).toBe(502);
});

test("a connection that cannot be opened is told as such", async () => {
  const { send, record } = await useEdge(await unusedPort());
  const text = await send(get());
  expect(text).toMatch(
    /^HTTP\/1.1 502 [^]*\r\nExpose-Error: forward-failed\r\n/,
  );
  expect(text).toMatch(/\r\nRetry-After: 1\r\n/);
  expect((await record()).error).toBe("forward-failed");
});

test("file names outside ASCII keep their bytes, and break no head", async () => {
  const name = Buffer.from("caf\u00e9 \u010d\u010a\u6587.txt").toString(
    "latin1",
  );
  const upstream = await useCannedUpstream(
    `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Disposition: attachment; filename="${name}"\r\n\r\nok`,
  );
  const { send } = await useEdge(upstream.port);
  expect(await send(get())).toBe(
    `HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename="${name}"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok`,
  );
});

test("an answer of fifty thousand one-byte chunks arrives whole", async () => {
  const upstream = await useCannedUpstream(
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(50_000)}0\r\n\r\n`,
  );
  const { send, record } = await useEdge(upstream.port);
  await send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
  expect((await record()).bytesOut).toBe(50_000);
});
