// Connections begin in the quick lane and may leave it at any byte; nobody may notice when.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  get,
  request,
  useCannedUpstream,
  useEdge,
  useRawUpstream,
} from "./edge.fixture.ts";
import { useWire, type Wire } from "./wire.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FIRST = request("GET", "/1");
const LAST = get("/2");

describe("a connection", () => {
  test("gets the same answers wherever its bytes are divided", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, record, records } = await useEdge(upstream.port);
    const text = FIRST + LAST;
    const expected = ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK"];
    for (let at = 1; at < text.length; at++) {
      const wire = await connect();
      wire.socket.setNoDelay(true);
      wire.write(text.slice(0, at));
      // Until the edge, in the same process, has read it.
      if (at >= FIRST.length) await wire.until("ok");
      else for (let turns = 0; turns < 3; turns++) await setImmediate();
      wire.write(text.slice(at));
      const answers = await wire.untilEnded();
      expect(answers.match(/HTTP\/1.1 [^\r]*/g)).toEqual(expected);
    }
    await record((text.length - 1) * 2 - 1);
    expect(records.every(({ status }) => status === 200)).toBe(true);
  });

  test("gets pipelined answers in order, the first of which was under way in the lane", async () => {
    const upstream = await useRawUpstream();
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(FIRST);
    const first = await upstream.wire(0);
    await first.until("GET /1");
    wire.write(request("POST", "/2", ["Content-Length: 3"], "abc"));
    wire.write(get("/3"));
    first.write(OK.replace("ok", "A1"));
    await first.until("abc");
    first.write(OK.replace("ok", "B2"));
    await first.until("GET /3");
    first.write(OK.replace("ok", "C3"));
    const answers = await wire.untilEnded();
    expect(answers.match(/A1|B2|C3/g)).toEqual(["A1", "B2", "C3"]);
  });

  test("that sends more ahead of an answer than is kept loses none of it", async () => {
    const upstream = await useRawUpstream();
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(FIRST);
    const first = await upstream.wire(0);
    await first.until("GET /1");
    const body = "0123456789".repeat(100_000);
    wire.write(
      request(
        "POST",
        "/2",
        [`Content-Length: ${body.length}`, "Connection: close"],
        body,
      ),
    );
    first.write(OK);
    await first.until(/POST \/2[^]*\r\n\r\n[^]{1000000}$/);
    expect(first.text.endsWith(body)).toBe(true);
    first.write(OK);
    expect((await wire.untilEnded()).match(/ok/g)).toHaveLength(2);
  });

  test("says how long it is kept, and is closed when it was idle for longer", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(FIRST);
    expect(await wire.until("ok")).toMatch(
      /\r\nConnection: keep-alive\r\nKeep-Alive: timeout=65\r\n/,
    );
    await advance(65_000);
    wire.write(FIRST);
    await wire.until(/ok[^]*ok/);
    await advance(65_001);
    await wire.untilEnded();
  });

  test.each([
    ["in the lane", FIRST],
    ["by Node", request("OPTIONS", "/3")],
  ])("whose visitor reads nothing is served no more %s", async (_, another) => {
    const { wire, edgeSocket, answers, advance } = await useUnreadAnswers();
    wire.write(another + another);
    const served = answers.next().then(() => true);
    // More than enough: the answers before it took no longer.
    const patience = async (): Promise<boolean> => {
      for (let sweeps = 0; sweeps < 20; sweeps++) await advance(0);
      return false;
    };
    expect(await Promise.race([served, patience()])).toBe(false);
    edgeSocket.uncork();
    wire.write(LAST);
    const text = await wire.untilEnded();
    expect(text.match(/HTTP\/1.1 200 OK/g)).toHaveLength(answers.count + 2);
  });

  test("is not idle while an answer is still going out", async () => {
    const { wire, edgeSocket, answers, advance } = await useUnreadAnswers();
    await advance(65_001);
    edgeSocket.uncork();
    wire.write(LAST);
    const text = await wire.untilEnded();
    expect(text.match(/HTTP\/1.1 200 OK/g)).toHaveLength(answers.count + 1);
    expect(text.endsWith("x")).toBe(true);
  });

  test("that the visitor half-closes while idle is closed", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(FIRST);
    await wire.until("ok");
    wire.socket.end();
    await wire.untilEnded();
  });
});

// Node's parser would refuse it.
describe("a head with raw bytes in its target that comes in pieces", () => {
  const RAW = request("GET", "/\xc3\xbc", ["X: y"]);

  test("is taken wherever it is divided behind the first of them", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect } = await useEdge(upstream.port);
    const first = RAW.indexOf("\xc3") + 1;
    for (let at = first; at < RAW.length; at++) {
      const wire = await connect();
      wire.socket.setNoDelay(true);
      for (const piece of [RAW.slice(0, first), RAW.slice(first, at)]) {
        wire.write(piece);
        for (let turns = 0; turns < 3; turns++) await setImmediate();
      }
      wire.write(RAW.slice(at));
      await wire.until("ok");
      wire.write(LAST);
      expect(await wire.untilEnded()).toMatch(/ok[^]*ok$/);
    }
    const text = upstream.wires.map((wire) => wire.text).join("");
    expect(text.match(/^GET \/\xc3\xbc HTTP/gm)).toHaveLength(
      RAW.length - first,
    );
  });

  test("is answered with 408 when its rest does not come, and in time on a connection that was idle", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect, advance, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(FIRST);
    await wire.until("ok");
    await advance(60_000);
    await begins(wire, RAW.slice(0, -4));
    await advance(14_000);
    wire.write("\r\n\r");
    for (let turns = 0; turns < 3; turns++) await setImmediate();
    expect(wire.ended).toBeUndefined();
    await advance(1_001);
    expect(await wire.untilEnded()).toMatch(
      /okHTTP\/1.1 408 [^]*\r\nExpose-Error: request-timeout\r\n/,
    );
    expect(await record(1)).toMatchObject({ status: 408, method: "" });
  });

  test("is answered with 400 when it ends before", async () => {
    const upstream = await useCannedUpstream(OK);
    const { port } = await useEdge(upstream.port);
    const wire = await useWire(port, { allowHalfOpen: true });
    await begins(wire, RAW.slice(0, -4));
    wire.socket.end();
    expect(await wire.untilEnded()).toMatch(/^HTTP\/1.1 400 /);
  });

  test.each([
    ["has too many of them", 17, "x"],
    ["is too long", 3, "x".repeat(3_000)],
  ])("is Node's to answer when it %s", async (_, count, piece) => {
    const upstream = await useCannedUpstream(OK);
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.socket.setNoDelay(true);
    await begins(wire, RAW.slice(0, -4));
    for (let sent = 0; sent < count && !wire.ended; sent++)
      await begins(wire, piece);
    expect(await wire.untilEnded()).toMatch(/^HTTP\/1.1 400 /);
  });

  async function begins(wire: Wire, piece: string): Promise<void> {
    wire.write(piece);
    for (let turns = 0; turns < 3; turns++) await setImmediate();
  }
});

describe("an answer", () => {
  test("of unknown length comes in chunks, with its trailers", async () => {
    const upstream = await useCannedUpstream(
      "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(FIRST);
    expect(await wire.until("X-Sum: 1\r\n\r\n")).toMatch(
      /\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n$/,
    );
  });

  test.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"],
    ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"],
  ])(
    "to %s without a body leaves the connection to the next: %j",
    async (method, answer) => {
      const upstream = await useCannedUpstream(answer);
      const { connect } = await useEdge(upstream.port);
      const wire = await connect();
      for (const round of [1, 2, 3]) {
        wire.write(request(method, "/"));
        const text = await wire.until(
          new RegExp(`^(?:HTTP/1.1 [^]*?\r\n\r\n){${round}}$`),
        );
        expect(text).not.toContain("Transfer-Encoding");
      }
    },
  );
});

const LARGE = `HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n${"x".repeat(8_000)}`;

// A connection with as many answers as the edge gives before it wants them to go out. None does: the edge's socket keeps
// them, as it would for a visitor who reads nothing, once the system's own buffers are full.
async function useUnreadAnswers(): Promise<{
  wire: Wire;
  edgeSocket: Socket;
  answers: { count: number; next(): Promise<void> };
  advance(ms: number): Promise<void>;
}> {
  const upstream = await useCannedUpstream(LARGE);
  const { connect, port, record, advance } = await useEdge(upstream.port);
  const edgeSockets: Socket[] = [];
  const onSocket = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    if (socket.localPort === port) edgeSockets.push(socket);
  };
  subscribe("net.server.socket", onSocket);
  onTestFinished(() => void unsubscribe("net.server.socket", onSocket));
  const wire = await connect();
  const answers = {
    count: 0,
    async next() {
      await record(answers.count++);
    },
  };
  wire.write(FIRST);
  await answers.next();
  const edgeSocket = edgeSockets[0]!;
  edgeSocket.cork();
  while (!edgeSocket.writableNeedDrain) {
    wire.write(FIRST);
    await answers.next();
  }
  return { wire, edgeSocket, answers, advance };
}
