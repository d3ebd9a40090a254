import { once } from "node:events";
import { duplexPair, type Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeMessage, type EdgeMessage } from "@expose/protocol";
import type { RequestRecord } from "../access-log/record.ts";
import type { Forward } from "../ingress/forward.ts";
import type { PlainSession } from "../ingress/handlers.ts";
import type { IngressSession } from "../ingress/ingress.ts";
import { createResumeTokens } from "../routes/resume.ts";
import { createRouteTable, type RouteTable } from "../routes/table.ts";
import { Closable } from "../util/closable.ts";
import { createControl, type Control } from "./control.ts";

let table: RouteTable;
let control: Control;
const logged: string[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  table = createRouteTable({
    domains: ["localhost"],
    urlOf: (hostname) => `http://${hostname}:7780`,
    reserved: new Set(["www"]),
    mayClaim: () => true,
    resume: createResumeTokens(Buffer.alloc(32)),
    graceMs: 60_000,
    maxTunnelsPerIdentity: 10,
    defaultName: undefined,
  });
  control = createControl({
    table,
    urlPattern: () => "http://*.localhost:7780",
    formatTarget: (target) => target.replaceAll("\u001b", "\\x1b"),
    log: {
      error: (message) => void logged.push(message),
      info: (message) => void logged.push(message),
      debug() {},
    },
  });
});
afterEach(() => {
  logged.length = 0;
  table.dispose();
  vi.useRealTimers();
});

const forward: Forward = {
  port: 40_000,
  closed: false,
  connect: () => Promise.reject(new Error("not connected in this test")),
  onceClosed: () => () => {},
};

/** A client on the other end of a session's control channel. */
class FakeClient {
  readonly got: EdgeMessage[] = [];
  readonly channel: Duplex;
  ended = false;
  #rest = "";
  #arrived = withResolvers();

  constructor(identity = "alice") {
    const [ours, theirs] = duplexPair();
    this.channel = ours;
    ours.on("data", (chunk: Buffer) => this.#read(String(chunk)));
    const ends: (() => void)[] = [];
    const session: IngressSession = {
      ingress: "embedded",
      identity: {
        id: identity,
        names: undefined,
        maxTunnels: undefined,
        directPorts: [],
      },
      remoteAddress: "127.0.0.1",
      control: theirs,
      proof: undefined,
      forward: (port) => (port === forward.port ? forward : undefined),
      end: () => {
        if (this.ended) return;
        this.ended = true;
        theirs.destroy();
        for (const callback of ends) callback();
      },
      onceEnded: (callback) => void ends.push(callback),
    };
    control.serve(session);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.got.push(JSON.parse(line) as EdgeMessage);
    this.#arrived.resolve();
    this.#arrived = withResolvers();
  }

  say(...messages: Parameters<typeof encodeMessage>[0][]): void {
    this.channel.write(messages.map(encodeMessage).join(""));
  }

  hello(): void {
    this.say({ t: "hello", v: 1, client: "test" });
  }

  open(id: number, name?: string): void {
    this.say({
      t: "open",
      id,
      kind: "http",
      port: forward.port,
      upstream: "localhost:8080",
      ...(name && { name }),
    });
  }

  async hears(t: EdgeMessage["t"]): Promise<EdgeMessage> {
    for (;;) {
      const index = this.got.findIndex((message) => message.t === t);
      if (index >= 0) return this.got.splice(index, 1)[0]!;
      await this.#arrived.promise;
    }
  }

  async isEnded(): Promise<void> {
    if (!this.channel.readableEnded) await once(this.channel, "end");
  }
}

const record = (tunnel: string, target = "/"): RequestRecord => ({
  startedAt: 1_000_000,
  tunnel,
  identity: "alice",
  visitor: "192.0.2.1",
  method: "GET",
  target,
  host: "shop.localhost",
  httpVersion: "1.1",
  rawHeaders: [],
  status: 200,
  error: undefined,
  upgraded: false,
  routeMs: 0,
  connectMs: 1,
  firstByteMs: 2,
  totalMs: 3,
  bytesIn: 0,
  bytesOut: 5,
  retried: false,
});

describe("greeting", () => {
  it("welcomes a client of the same version and says who it is", async () => {
    const client = new FakeClient();
    client.hello();
    expect(await client.hears("welcome")).toMatchObject({
      identity: "alice",
      ingress: "embedded",
      url: "http://*.localhost:7780",
    });
  });

  it("refuses another version and ends the session", async () => {
    const client = new FakeClient();
    client.say({ t: "hello", v: 2, client: "test" });
    expect(await client.hears("refused")).toMatchObject({
      code: "version-unsupported",
    });
    await client.isEnded();
  });

  it("refuses anything before the hello, a second hello, and lines that are no messages", async () => {
    const early = new FakeClient();
    early.open(1);
    expect(await early.hears("refused")).toMatchObject({
      code: "message-invalid",
    });
    const twice = new FakeClient();
    twice.hello();
    twice.hello();
    expect(await twice.hears("refused")).toMatchObject({
      code: "message-invalid",
    });
    const garbage = new FakeClient();
    garbage.channel.write("GET / HTTP/1.1\r\n");
    expect(await garbage.hears("refused")).toMatchObject({
      code: "message-invalid",
    });
    const long = new FakeClient();
    long.channel.write("x".repeat(5_000));
    expect(await long.hears("refused")).toMatchObject({
      code: "message-invalid",
    });
  });

  it("ends a session that says nothing", async () => {
    const client = new FakeClient();
    vi.advanceTimersByTime(10_000);
    expect(await client.hears("refused")).toMatchObject({
      code: "message-invalid",
    });
    await client.isEnded();
  });

  it("ends a session whose client does not read the farewell", () => {
    const client = new FakeClient();
    client.channel.pause();
    vi.advanceTimersByTime(10_000);
    vi.advanceTimersByTime(1_000);
    expect(client.ended).toBe(true);
  });
});

describe("tunnels", () => {
  it("opens a tunnel on a forward of the session and closes it when asked", async () => {
    const client = new FakeClient();
    client.hello();
    client.open(7, "shop");
    expect(await client.hears("opened")).toMatchObject({
      id: 7,
      name: "shop",
      url: "http://shop.localhost:7780",
    });
    expect(table.find("shop.localhost").kind).toBe("tunnel");
    client.say({ t: "close", id: 7 }, { t: "ping", n: 1 });
    await client.hears("pong");
    expect(table.find("shop.localhost").kind).toBe("unknown");
  });

  it("refuses a port that the session holds no forward on", async () => {
    const client = new FakeClient();
    client.hello();
    client.say({ t: "open", id: 1, kind: "http", port: 5432, upstream: "x" });
    expect(await client.hears("refused")).toMatchObject({
      id: 1,
      code: "forward-missing",
    });
  });

  it("answers each refusal, and does not write each down", async () => {
    const client = new FakeClient();
    client.hello();
    for (let id = 1; id <= 100; id++) client.open(id, "www");
    for (let id = 1; id <= 100; id++)
      expect(await client.hears("refused")).toMatchObject({ id });
    expect(logged.filter((line) => line === "tunnel refused")).toHaveLength(20);
  });

  it("opens and closes without end, and does not write each time down", async () => {
    const client = new FakeClient();
    client.hello();
    for (let id = 1; id <= 1_500; id++) {
      client.open(id, "shop");
      client.say({ t: "close", id });
    }
    client.say({ t: "ping", n: 1 });
    await client.hears("pong");
    expect(logged.filter((line) => line.startsWith("tunnel "))).toHaveLength(
      2_000,
    );
  });

  it.each(["a b", "a\r\nX: y", "http://x", "user@host", ""])(
    "refuses the host header %j",
    async (hostHeader) => {
      const client = new FakeClient();
      client.hello();
      client.say({
        t: "open",
        id: 1,
        kind: "http",
        port: forward.port,
        upstream: "x",
        hostHeader,
      });
      expect(await client.hears("refused")).toMatchObject({
        code: "upstream-option-invalid",
      });
    },
  );

  it("keeps the name of a session that vanished", async () => {
    const client = new FakeClient();
    client.hello();
    client.open(1, "shop");
    await client.hears("opened");
    client.channel.end();
    await client.isEnded();
    expect(table.find("shop.localhost").kind).toBe("away");
  });

  it("tells the older session that it was superseded, and ends it when nothing is left of it", async () => {
    const older = new FakeClient();
    older.hello();
    older.open(1, "shop");
    older.open(2, "blog");
    await older.hears("opened");
    await older.hears("opened");
    const newer = new FakeClient();
    newer.hello();
    newer.open(1, "shop");
    await newer.hears("opened");
    expect(await older.hears("closed")).toMatchObject({
      id: 1,
      code: "superseded",
      retry: false,
    });
    expect(older.ended).toBe(false);
    newer.open(2, "blog");
    expect(await older.hears("closed")).toMatchObject({
      id: 2,
      code: "superseded",
    });
    await older.isEnded();
    expect(table.counts).toEqual({ open: 2, away: 0 });
  });

  it("does not give a name back to a session that has lost it and is on its way out", async () => {
    const older = new FakeClient();
    older.hello();
    older.open(1, "shop");
    await older.hears("opened");
    // As long as it does not read its farewell, it is still there.
    older.channel.pause();
    const newer = new FakeClient();
    newer.hello();
    newer.open(1, "shop");
    await newer.hears("opened");
    older.open(2, "shop");
    await new Promise((resolve) => setImmediate(resolve));
    newer.say({ t: "ping", n: 1 });
    await newer.hears("pong");
    expect(newer.got.map(({ t }) => t)).not.toContain("closed");
    expect(older.ended).toBe(false);
  });

  it("notes what the client says of its local service", async () => {
    const client = new FakeClient();
    client.hello();
    client.open(1, "shop");
    await client.hears("opened");
    client.say(
      { t: "upstream", id: 1, state: "down", reason: "Nothing listens." },
      { t: "ping", n: 1 },
    );
    await client.hears("pong");
    const route = table.find("shop.localhost");
    expect(route.kind === "tunnel" && route.tunnel.upstreamDown).toEqual({
      reason: "Nothing listens.",
    });
  });
});

describe("the request feed", () => {
  async function watching(): Promise<FakeClient> {
    const client = new FakeClient();
    client.hello();
    client.open(3, "shop");
    client.say({ t: "watch", on: true }, { t: "ping", n: 1 });
    await client.hears("pong");
    return client;
  }

  it("tells the owner of each request, made fit for a terminal", async () => {
    const client = await watching();
    control.observe(record("shop", "/a\u001b[2J"));
    expect(await client.hears("request")).toMatchObject({
      id: 3,
      path: "/a\\x1b[2J",
      status: 200,
    });
  });

  it("tells nobody of other tunnels' requests", async () => {
    const client = await watching();
    control.observe(record("blog"));
    control.observe(record("shop", "/mine"));
    expect(await client.hears("request")).toMatchObject({ path: "/mine" });
  });

  it("is bounded in rate and counts what it leaves out", async () => {
    const client = await watching();
    for (let i = 0; i < 600; i++) control.observe(record("shop"));
    control.observe({ ...record("shop", "/later"), startedAt: 1_002_000 });
    let seen = 0;
    for (;;) {
      const message = await client.hears("request");
      seen++;
      if (message.t === "request" && message.path === "/later") {
        expect(message.dropped).toBe(600 - (seen - 1));
        expect(seen).toBeLessThanOrEqual(501);
        return;
      }
    }
  });
});

describe("draining", () => {
  it("tells every session that coming back makes sense", async () => {
    const client = new FakeClient();
    client.hello();
    await client.hears("welcome");
    control.announceDrain();
    expect(await client.hears("closed")).toMatchObject({
      code: "draining",
      retry: true,
    });
    expect(client.ended).toBe(false);
  });
});

// Promise.withResolvers is not in Node 20.
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

it("keeps nothing of a plain client's forwards that have come and gone on one connection", async () => {
  const life = new Closable();
  let listeners = 0;
  const session: PlainSession = {
    identity: {
      id: "alice",
      names: undefined,
      maxTunnels: undefined,
      directPorts: [],
    },
    remoteAddress: "127.0.0.1",
    end: () => life.markClosed(),
    onceEnded(callback) {
      listeners++;
      const forget = life.onceClosed(callback);
      return () => {
        listeners--;
        forget();
      };
    },
  };
  for (let i = 0; i < 3; i++) {
    const tunnel = await control.openPlain(session, forward, "shop");
    expect(listeners).toBe(1);
    tunnel.close();
    expect(listeners).toBe(0);
  }
  await control.openPlain(session, forward, "shop");
  life.markClosed();
  expect(table.counts).toEqual({ open: 0, away: 1 });
});

it("ends the session that meets a bug, and no other", async () => {
  const [client, other] = [new FakeClient(), new FakeClient("bob")];
  client.hello();
  other.hello();
  await other.hears("welcome");
  vi.spyOn(table, "open").mockImplementationOnce(() => {
    throw new TypeError("a bug");
  });
  client.open(1, "shop");
  other.open(1, "shop");
  expect(await other.hears("opened")).toMatchObject({ name: "shop" });
  expect(logged).toContain("bug");
  expect([client.ended, other.ended]).toEqual([true, false]);
});
