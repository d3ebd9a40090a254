import { describe, expect, test } from "vitest";
import { get, request, useEdge, useRawUpstream } from "./edge.fixture.ts";
import { Shares, type EvictionLoss, type Share } from "./shares.ts";
import { useWire, type Wire } from "./wire.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A visitor who takes as many as are given. */
class Visitor {
  share!: Share;
  /** Numbers of its requests, in the order in which they were served. */
  readonly served: number[] = [];
  readonly evicted: number[] = [];
  /** Since when it reads nothing. */
  stalledSince: number | undefined;
  readonly #shares: Shares;
  readonly #key: string;
  readonly #sharers: Parameters<Shares["take"]>[1][] = [];

  constructor(shares: Shares, key: string) {
    this.#shares = shares;
    this.#key = key;
  }

  wants(count: number, loss: EvictionLoss | "young" = 0): this {
    for (let i = 0; i < count; i++) {
      const number = this.#sharers.length;
      const stalledSince = (): number | undefined => this.stalledSince;
      this.share = this.#shares.enter(this.#key);
      const sharer = {
        evictionLoss: loss === "young" ? undefined : loss,
        get stalledSince() {
          return stalledSince();
        },
        onShare: () => void this.served.push(number),
        evict: () => {
          this.evicted.push(number);
          this.ends(number);
        },
      };
      this.#sharers.push(sharer);
      this.#shares.take(this.share, sharer);
    }
    return this;
  }

  ends(number: number): void {
    this.#shares.giveBack(this.share, this.#sharers[number]!);
    this.#shares.leave(this.share);
  }
}

const visitors = (shares: Shares, count: number): Visitor[] =>
  Array.from({ length: count }, (_, i) =>
    new Visitor(shares, `${shares.size}/${i}`).wants(1),
  );

describe("the shares of a tunnel", () => {
  test("give a visitor who is alone a half of its connections", () => {
    const shares = new Shares(1_000, 256);
    expect(new Visitor(shares, "a").wants(256).served).toHaveLength(128);
  });

  test("pass what is given back to visitors in turn, and to each one's requests in order", () => {
    const shares = new Shares(1_000, 3);
    const a = new Visitor(shares, "a").wants(4, "young");
    const b = new Visitor(shares, "b").wants(3, "young");
    // a has two and b the last one, which is for whoever has none.
    expect([a.served, b.served]).toEqual([[0, 1], [0]]);
    b.ends(0);
    expect([a.served, b.served]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    a.ends(0);
    expect([a.served, b.served]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    a.ends(1);
    expect([a.served, b.served]).toEqual([
      [0, 1, 2],
      [0, 1],
    ]);
  });

  test("give a visitor who has nothing what the one with the most has had for the longest time", () => {
    const shares = new Shares(100_000, 256);
    const greedy = Array.from({ length: 120 }, (_, i) =>
      new Visitor(shares, `greedy ${i}`).wants(100),
    );
    const good = new Visitor(shares, "good").wants(1);
    expect(good.served).toEqual([0]);
    expect(greedy[0]!.evicted.slice(0, 3)).toEqual([0, 1, 2]);
    // What the good one leaves is there for the next one, and nobody else takes it.
    good.ends(0);
    expect(new Visitor(shares, "next").wants(1).served).toEqual([0]);
    for (const { share } of greedy)
      expect(share.taken.length).toBeGreaterThanOrEqual(1);
  });

  test("end of what a visitor has what loses least, however old the rest is", () => {
    const shares = new Shares(1_000, 4);
    const most = new Visitor(shares, "most").wants(1, 2).wants(1, 1);
    for (const key of ["1", "2"]) new Visitor(shares, key).wants(1);
    const next = new Visitor(shares, "next").wants(1);
    expect([most.evicted, next.served]).toEqual([[1], [0]]);
    const unanswered = new Shares(1_000, 4);
    const other = new Visitor(unanswered, "other").wants(1, 1).wants(1, 0);
    for (const key of ["1", "2", "3"]) new Visitor(unanswered, key).wants(1);
    expect(other.evicted).toEqual([1]);
  });

  test("take nothing from a visitor who is alone, nor for one who has something", () => {
    const shares = new Shares(1_000, 4);
    const alone = new Visitor(shares, "alone").wants(9);
    shares.sweep();
    expect([alone.served, alone.evicted]).toEqual([[0, 1], []]);
    const second = new Visitor(shares, "second").wants(3);
    const third = new Visitor(shares, "third").wants(3);
    shares.sweep();
    expect([second.served, third.served]).toEqual([[0], [0]]);
    expect(alone.evicted).toEqual([]);
  });

  test("end nobody who has had it for a short time, or who has only one", () => {
    const shares = new Shares(1_000, 4);
    const young = new Visitor(shares, "young").wants(2, "young");
    const [one, two] = [new Visitor(shares, "1"), new Visitor(shares, "2")];
    one.wants(1);
    two.wants(1);
    const three = new Visitor(shares, "3").wants(1);
    shares.sweep();
    expect([young.evicted, one.evicted, two.evicted]).toEqual([[], [], []]);
    expect(three.served).toEqual([]);
    one.ends(0);
    expect(three.served).toEqual([0]);
  });

  test("end one who does not read, for a visitor who has nothing, who gets it before those who wait already", () => {
    const shares = new Shares(1_000, 2);
    const [a, b, c] = ["a", "b", "c"].map((key) =>
      new Visitor(shares, key).wants(1),
    );
    expect(c!.served).toEqual([]);
    a!.stalledSince = 1;
    const d = new Visitor(shares, "d").wants(1);
    expect([a!.evicted, d.served, c!.served]).toEqual([[0], [0], []]);
    shares.sweep();
    expect([b!.evicted, c!.served]).toEqual([[], []]);
    b!.stalledSince = 1;
    shares.sweep();
    expect([b!.evicted, c!.served]).toEqual([[0], [0]]);
  });

  test("end most of those who do not read, the longest first, while visitors wait, and keep what they had for who comes new", () => {
    const shares = new Shares(10_000, 64);
    const all = visitors(shares, 200);
    for (const [i, visitor] of all.entries()) visitor.stalledSince = 200 - i;
    const ended = (): number[] =>
      all.flatMap(({ evicted }, i) => (evicted.length > 0 ? [i] : []));
    const served = (): number =>
      all.filter((visitor) => visitor.served.length > 0).length;
    shares.sweep();
    expect(ended()).toEqual(Array.from({ length: 16 }, (_, i) => 48 + i));
    // Those who wait are let in one by one now, and who comes new at once.
    expect(served()).toBe(65);
    const next = visitors(shares, 15);
    expect(next.map((visitor) => visitor.served)).toEqual(next.map(() => [0]));
    expect(ended()).toHaveLength(16);
    // What they leave is kept as well.
    for (const visitor of next) visitor.ends(0);
    expect(served()).toBe(65);
    for (let i = 0; i < 10; i++) shares.sweep();
    expect(shares.size).toBeLessThan(200);
    expect(
      all.filter((visitor) => visitor.served.length > visitor.evicted.length),
    ).toHaveLength(8 + 1);
  });

  test("end no more of those who do not read than there are requests that wait", () => {
    const shares = new Shares(10_000, 64);
    const all = visitors(shares, 67);
    for (const visitor of all) visitor.stalledSince = 1;
    shares.sweep();
    expect(all.filter(({ evicted }) => evicted.length > 0)).toHaveLength(3);
  });

  test("keep nothing from those who wait once nobody is left who does not read", () => {
    const shares = new Shares(10_000, 64);
    const all = visitors(shares, 200);
    for (const visitor of all.slice(0, 18)) visitor.stalledSince = 1;
    const served = (): number =>
      all.filter((visitor) => visitor.served.length > 0).length;
    shares.sweep();
    expect(served()).toBe(65);
    // A visitor who reads ends, and its place is not kept.
    all[20]!.ends(0);
    expect(served()).toBe(66);
    const counts = Array.from({ length: 9 }, () => {
      shares.sweep();
      return served();
    });
    expect(counts).toEqual([68, 70, 72, 74, 76, 78, 80, 81, 81]);
  });

  test("do not keep what was ended of the visitor who has most", () => {
    const shares = new Shares(10_000, 64);
    const all = visitors(shares, 200);
    for (const visitor of all.slice(0, 40)) visitor.stalledSince = 1;
    shares.sweep();
    const most = new Visitor(shares, "most").wants(5);
    visitors(shares, 10);
    expect(all[65]!.served).toEqual([]);
    visitors(shares, 1);
    expect(most.evicted).toEqual([0]);
    expect(all[65]!.served).toEqual([0]);
  });

  test("give nothing of what is kept to who waits already, or does not read", () => {
    const shares = new Shares(10_000, 64);
    const all = visitors(shares, 200);
    for (const visitor of all.slice(0, 40)) visitor.stalledSince = 1;
    shares.sweep();
    const [stalled, waiting, reading] = [all[30]!, all[150]!, all[50]!];
    for (const visitor of [stalled, waiting, reading]) visitor.wants(1);
    expect([stalled.served, waiting.served, reading.served]).toEqual([
      [0],
      [],
      [0, 1],
    ]);
  });

  test("end those who do not read of a visitor who wants more, and of nobody else while all have some", () => {
    const shares = new Shares(10_000, 64);
    const paused = visitors(shares, 8);
    const greedy = new Visitor(shares, "greedy").wants(60);
    for (const visitor of [...paused, greedy]) visitor.stalledSince = 1;
    expect([greedy.served.length, shares.size]).toEqual([28, 9]);
    shares.sweep();
    expect(greedy.evicted).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(paused.flatMap(({ evicted }) => evicted)).toEqual([]);
    expect(new Visitor(shares, "next").wants(1).served).toEqual([0]);
  });

  test("end nobody who does not read while nobody waits", () => {
    const shares = new Shares(10_000, 64);
    const all = visitors(shares, 64);
    for (const visitor of all) visitor.stalledSince = 1;
    shares.sweep();
    expect(all.flatMap(({ evicted }) => evicted)).toEqual([]);
  });

  test("forget who has left, and whoever no longer waits", () => {
    const shares = new Shares(1_000, 2);
    const a = new Visitor(shares, "a").wants(3);
    expect(a.served).toEqual([0]);
    a.ends(1);
    a.ends(0);
    expect(a.served).toEqual([0, 2]);
    a.ends(2);
    expect(shares.size).toBe(0);
  });

  test("let everybody go on when the tunnel closes, who may then leave at once", () => {
    const shares = new Shares(1_000, 1);
    new Visitor(shares, "a").wants(1);
    const b = shares.enter("b");
    let gone = 0;
    for (let i = 0; i < 2; i++) {
      const sharer = {
        evictionLoss: undefined,
        stalledSince: undefined,
        evict() {},
        onShare() {
          gone++;
          shares.giveBack(b, sharer);
        },
      };
      shares.take(b, sharer);
    }
    expect(gone).toBe(0);
    shares.close();
    expect(gone).toBe(2);
  });

  test("count requests the same way, and let in the only one of a visitor", () => {
    const shares = new Shares(4, 1);
    const enter = (key: string): boolean => !shares.exceeded(shares.enter(key));
    expect([enter("a"), enter("a"), enter("a")]).toEqual([true, true, false]);
    expect([enter("b"), enter("b")]).toEqual([true, false]);
    expect([enter("c"), enter("c")]).toEqual([true, false]);
  });
});

test("what has taken long is ended for a visitor who has nothing, when others hold everything", async () => {
  const upstream = await useRawUpstream();
  const { port, edge, record, records, advance } = await useEdge(
    upstream.port,
    { limits: { connectionsPerTunnel: 2 } },
  );
  const slow = [];
  for (const [i, address] of ["127.0.0.2", "127.0.0.3"].entries()) {
    const wire = await useWire(port, { localAddress: address });
    wire.write(request("POST", "/", ["Content-Length: 9"], "x"));
    slow.push(wire);
    await upstream.wire(i);
  }
  const other = await useWire(port, { localAddress: "127.0.0.4" });
  other.write(request("GET", "/other"));
  while (edge.stats().requests < 3) await new Promise(setImmediate);
  // Each has but one, so nobody has more than others.
  await advance(6_000);
  expect(records).toEqual([]);
  slow[0]!.socket.destroy();
  const served = await upstream.wire(2);
  await served.until("/other");
  expect(await record()).toMatchObject({ status: 0 });
  served.write(OK);
  await other.until(/ok$/);
});

test("who does not read an answer loses it to a visitor who has nothing", async () => {
  const upstream = await useRawUpstream();
  const { port, edge, records, advance } = await useEdge(upstream.port, {
    limits: { connectionsPerTunnel: 2 },
  });
  const big = "x".repeat(32_000_000);
  for (const [i, address] of ["127.0.0.2", "127.0.0.3"].entries()) {
    const wire = await useWire(port, { localAddress: address });
    wire.socket.pause();
    wire.write(request("GET", "/big"));
    const answering = await upstream.wire(i);
    await answering.until("/big");
    answering.write(
      `HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n${big}`,
    );
  }
  const other = await useWire(port, { localAddress: "127.0.0.4" });
  other.write(request("GET", "/other"));
  while (edge.stats().requests < 3) await new Promise(setImmediate);
  expect(records).toEqual([]);
  // Until nothing moves any more, and 5 s from there.
  while (records.length === 0) await advance(1_000);
  expect(records).toMatchObject([{ status: 200, error: "tunnel-busy" }]);
  const served = await upstream.wire(2);
  await served.until("/other");
  served.write(OK);
  await other.until(/ok$/);
});

test("who reads an answer slowly keeps it, while one who reads nothing is ended for visitors who wait, and reset", async () => {
  const upstream = await useRawUpstream();
  const { port, edge, forward, records, advance } = await useEdge(
    upstream.port,
    { limits: { connectionsPerTunnel: 2 } },
  );
  const big = "x".repeat(120_000_000);
  const readers = [];
  for (const [i, address] of ["127.0.0.2", "127.0.0.3"].entries()) {
    const wire = await useWire(port, { localAddress: address });
    wire.socket.pause();
    wire.write(request("GET", "/big"));
    const answering = await upstream.wire(i);
    await answering.until("/big");
    answering.write(
      `HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n${big}`,
    );
    readers.push(wire);
  }
  const [slow, silent] = readers as [Wire, Wire];
  const [channel] = forward.sockets;
  const readALittle = async (): Promise<void> => {
    const before = channel!.bytesRead;
    slow.socket.resume();
    while (channel!.bytesRead === before) await new Promise(setImmediate);
    slow.socket.pause();
    // Until the edge holds the upstream again: all are in this process, so nothing is on its way for longer.
    for (let turns = 0, read = before; turns < 20; turns++) {
      await new Promise(setImmediate);
      if (channel!.bytesRead !== read) turns = 0;
      read = channel!.bytesRead;
    }
  };
  for (const address of ["127.0.0.4", "127.0.0.5"])
    (await useWire(port, { localAddress: address })).write(get("/waits"));
  while (edge.stats().requests < 4) await new Promise(setImmediate);
  while (records.length === 0) {
    await readALittle();
    await advance(2_500);
  }
  // Also when it reads more slowly still than it has.
  await readALittle();
  await advance(7_000);
  expect(records).toMatchObject([
    { visitor: "127.0.0.3", status: 200, error: "tunnel-busy" },
  ]);
  // What it has not read is not offered any more.
  silent.socket.resume();
  await silent.untilClosed();
  expect(silent.text.length).toBeLessThan(records[0]!.bytesOut);
  await advance(2_000);
  expect(records[1]).toMatchObject({ visitor: "127.0.0.2", status: 200 });
});

test("a visitor who holds more than one connection loses the oldest to one who has none", async () => {
  const upstream = await useRawUpstream();
  const { port, connect, edge, records, advance } = await useEdge(
    upstream.port,
    { limits: { connectionsPerTunnel: 4 } },
  );
  const slow = [];
  for (let i = 0; i < 2; i++) {
    const wire = await connect();
    wire.write(request("POST", "/", ["Content-Length: 9"], "x"));
    slow.push(wire);
    await upstream.wire(i);
  }
  for (const address of ["127.0.0.2", "127.0.0.3"])
    (await useWire(port, { localAddress: address })).write(
      request("POST", "/", ["Content-Length: 9"], "x"),
    );
  await upstream.wire(3);
  const other = await useWire(port, { localAddress: "127.0.0.4" });
  other.write(request("GET", "/other"));
  while (edge.stats().requests < 5) await new Promise(setImmediate);
  expect(records).toEqual([]);
  await advance(5_001);
  await slow[0]!.until(/^HTTP\/1.1 503 [^]*\r\nExpose-Error: tunnel-busy\r\n/);
  const served = await upstream.wire(4);
  await served.until("/other");
  served.write(OK);
  await other.until(/ok$/);
  expect(slow[1]!.text).toBe("");
});

test("visitors behind a trusted proxy count each for themselves, so that none loses a stream to another", async () => {
  const upstream = await useRawUpstream();
  const { connect, records, advance } = await useEdge(upstream.port, {
    trustedProxies: ["127.0.0.1"],
    limits: { connectionsPerTunnel: 4 },
  });
  const streams = [];
  for (let visitor = 1; visitor <= 4; visitor++) {
    const wire = await connect();
    wire.write(request("GET", "/", [`X-Forwarded-For: 192.0.2.${visitor}`]));
    const server = await upstream.wire(visitor - 1);
    await server.until("\r\n\r\n");
    server.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    await wire.until("\r\n\r\n");
    streams.push({ wire, server });
  }
  const fifth = await connect();
  fifth.write(request("GET", "/", ["X-Forwarded-For: 192.0.2.5"]));
  await advance(20_000);
  expect(records).toEqual([]);
  for (const { wire, server } of streams) {
    server.write("data: 1\n\n");
    await wire.until("data: 1\n\n");
  }
});

test("WebSockets take nothing of what requests share, and are not ended for them", async () => {
  const upstream = await useRawUpstream();
  const { port, records, advance } = await useEdge(upstream.port, {
    limits: { connectionsPerTunnel: 1 },
  });
  for (let i = 0; i < 3; i++) {
    const socket = await useWire(port);
    socket.write(
      request("GET", "/", [
        ...["Connection: Upgrade", "Upgrade: websocket"],
        ...[
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ],
      ]),
    );
    const server = await upstream.wire(i);
    await server.until("\r\n\r\n");
    server.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    await socket.until("\r\n\r\n");
  }
  await advance(6_000);
  const other = await useWire(port, { localAddress: "127.0.0.2" });
  other.write(request("GET", "/other"));
  const served = await upstream.wire(3);
  await served.until("/other");
  served.write(OK);
  await other.until(/ok$/);
  expect(records.map(({ target }) => target)).toEqual(["/other"]);
});

test("a visitor whose uploads never end does not keep others from the tunnel", async () => {
  const upstream = await useRawUpstream();
  const { connect, port, edge } = await useEdge(upstream.port, {
    limits: { connectionsPerTunnel: 8 },
  });
  for (let i = 0; i < 8; i++)
    (await connect()).write(request("POST", "/", ["Content-Length: 9"], "x"));
  while (edge.stats().requests < 8) await new Promise(setImmediate);
  const other = await useWire(port, { localAddress: "127.0.0.2" });
  other.write(get("/other"));
  const served = await upstream.wire(4);
  await served.until("/other");
  served.write(OK);
  await other.until(/ok$/);
  expect(upstream.wires).toHaveLength(5);
});

test("requests that wait for their visitor's share go on in order, or leave when their visitor does", async () => {
  const upstream = await useRawUpstream();
  const { connect, edge } = await useEdge(upstream.port, {
    limits: { connectionsPerTunnel: 2 },
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
  await server.until("/1");
  wires[1]!.socket.destroy();
  while (edge.stats().requests > 2) await new Promise(setImmediate);
  server.write(OK);
  await wires[0]!.until(/ok$/);
  await server.until("/3");
  server.write(OK);
  await wires[2]!.until(/ok$/);
  expect(server.text).not.toContain("/2");
});

test("a request that waits for its visitor's share is told 503 when that takes too long, or when the tunnel closes", async () => {
  const upstream = await useRawUpstream();
  const { connect, edge, advance, tunnel } = await useEdge(upstream.port, {
    limits: { connectionsPerTunnel: 2 },
  });
  (await connect()).write(request("GET", "/1"));
  await upstream.wire();
  const late = await connect();
  late.write(get("/2"));
  while (edge.stats().requests < 2) await new Promise(setImmediate);
  await advance(30_001);
  expect(await late.untilEnded()).toMatch(/\r\nExpose-Error: tunnel-busy\r\n/);
  const closed = await connect();
  closed.write(get("/3"));
  while (edge.stats().requests < 2) await new Promise(setImmediate);
  tunnel.close();
  await advance(1_001);
  expect(await closed.untilEnded()).toMatch(
    /\r\nExpose-Error: forward-failed\r\n/,
  );
});
