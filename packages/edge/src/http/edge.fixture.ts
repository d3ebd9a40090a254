// The HTTP side of an edge for tests: real sockets on both sides, and a forward that is a TCP connection.
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import net, { type AddressInfo, type Socket } from "node:net";
import { onTestFinished, vi } from "vitest";
import type { RequestRecord } from "../access-log/record.ts";
import { EdgeError } from "../errors.ts";
import type { Forward, Visitor } from "../ingress/forward.ts";
import type { Route, Tunnel } from "../routes/tunnel.ts";
import { Closable } from "../util/closable.ts";
import {
  createHttpEdge,
  type HttpEdge,
  type HttpEdgeOptions,
} from "./listener.ts";
import { useWire, Wire } from "./wire.fixture.ts";

/** A forward over plain TCP. */
export class TestForward extends Closable implements Forward {
  readonly port: number;
  /** Who each connection was opened for. */
  readonly visitors: Visitor[] = [];
  readonly sockets = new Set<Socket>();
  /** Keeps connect() from going on until it resolves. */
  gate: Promise<void> | undefined;
  /** How connect() fails; undefined: it does not. */
  refuses: "failed" | "down" | undefined;

  constructor(port: number) {
    super();
    this.port = port;
  }

  /** How many connections were opened. */
  get connects(): number {
    return this.visitors.length;
  }

  async connect(
    visitor: Visitor,
  ): Promise<{ stream: Socket; link: undefined }> {
    this.visitors.push(visitor);
    await this.gate;
    if (this.refuses || this.closed)
      throw new EdgeError("forward-failed", "The client refused.", {
        upstreamDown: this.refuses === "down",
      });
    const socket = net.connect({ port: this.port, host: "127.0.0.1" });
    socket.setNoDelay(true);
    socket.pause();
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => {});
    await once(socket, "connect");
    return { stream: socket, link: undefined };
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.markClosed();
  }
}

/** An open tunnel over a {@link TestForward}. */
export class TestTunnel extends Closable implements Tunnel {
  readonly name = "app";
  readonly hostname = "app.test";
  readonly url = "http://app.test:8000";
  readonly identityId = "alice";
  readonly forward: TestForward;
  hostHeader = "preserve";
  upstream = "localhost:8080";
  upstreamDown: { reason: string } | undefined;

  constructor(port: number) {
    super();
    this.forward = new TestForward(port);
  }

  close(): void {
    this.forward.close();
    this.markClosed();
  }
}

/** An edge with one tunnel, `app.test`. */
export interface TestEdge {
  readonly edge: HttpEdge;
  readonly port: number;
  readonly tunnel: TestTunnel;
  readonly forward: TestForward;
  readonly routes: Map<string, Route>;
  readonly records: RequestRecord[];
  /** Lets time pass for durations and limits, which it does not by itself, and waits until all limits were checked. */
  advance(ms: number): Promise<void>;
  /** Waits for the record with this index. */
  record(index?: number): Promise<RequestRecord>;
  connect(): Promise<Wire>;
  /** Sends bytes on a new connection and returns what came until it ended. */
  send(text: string): Promise<string>;
}

const QUICK = { sweepMs: 10 };

// These tests wait for events and never for time, so a machine that is busy must not fail them.
vi.setConfig({ testTimeout: 60_000 });

/** Starts an edge whose only tunnel leads to a port. Fails the test when the edge met a bug. */
export async function useEdge(
  upstreamPort: number,
  options: Partial<HttpEdgeOptions> = {},
): Promise<TestEdge> {
  const tunnel = new TestTunnel(upstreamPort);
  const routes = new Map<string, Route>([
    [tunnel.hostname, { kind: "tunnel", tunnel }],
  ]);
  const records: RequestRecord[] = [];
  const bugs: unknown[] = [];
  let waiters: (() => void)[] = [];
  let now = 1_000_000;
  let onClockRead: () => void = () => {};
  const edge = createHttpEdge({
    clock() {
      onClockRead();
      return now;
    },
    router: {
      find: (hostname) =>
        routes.get(hostname) ?? {
          kind: hostname.endsWith(".test") ? "unknown" : "foreign",
        },
    },
    observer: (record) => {
      records.push(record);
      for (const wake of waiters.splice(0)) wake();
    },
    publicScheme: "http",
    publicPort: 8000,
    onBug: (error) => bugs.push(error),
    ...options,
    timeouts: { ...QUICK, ...options.timeouts },
  });
  onTestFinished(async () => {
    waiters = [];
    await edge.close({ deadlineMs: 0 });
    tunnel.close();
    if (bugs.length > 0) throw bugs[0];
  });
  const { port } = await edge.listen("127.0.0.1", 0);
  const connect = (): Promise<Wire> => useWire(port);
  return {
    ...{ edge, port, tunnel, forward: tunnel.forward, routes, records },
    connect,
    async advance(ms) {
      now += ms;
      // A sweep reads the clock once, as it begins; so the second one says that the first is over. Tests let nothing
      // else happen at that time.
      for (let sweeps = 0; sweeps < 2; sweeps++)
        await new Promise<void>((resolve) => (onClockRead = resolve));
    },
    async record(index = 0) {
      while (records.length <= index)
        await new Promise<void>((resolve) => waiters.push(resolve));
      return records[index]!;
    },
    async send(text) {
      const wire = await connect();
      wire.write(text);
      return wire.untilEnded();
    },
  };
}

/** An upstream that is a real HTTP server of Node's. */
export async function useHttpUpstream(
  listener: RequestListener,
): Promise<{ server: Server; port: number }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** An upstream that the test plays itself, byte by byte. */
export interface RawUpstream {
  readonly port: number;
  /** All connections so far, in their order. */
  readonly wires: Wire[];
  /** Waits for the connection with this index. */
  wire(index?: number): Promise<Wire>;
}

/** Listens for connections through the forward. @param onWire what to do with each; default: nothing by itself */
export async function useRawUpstream(
  onWire: (wire: Wire, index: number) => void = () => {},
): Promise<RawUpstream> {
  const wires: Wire[] = [];
  let waiters: (() => void)[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const wire = new Wire(socket);
    wires.push(wire);
    onWire(wire, wires.length - 1);
    for (const wake of waiters.splice(0)) wake();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    waiters = [];
    for (const { socket } of wires) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    wires,
    async wire(index = 0) {
      while (wires.length <= index)
        await new Promise<void>((resolve) => waiters.push(resolve));
      return wires[index]!;
    },
  };
}

/** An upstream that answers every request head with the same bytes. */
export const useCannedUpstream = (answer: string): Promise<RawUpstream> =>
  useRawUpstream((wire) => {
    let answered = 0;
    wire.socket.on("data", () => {
      const heads = wire.text.split("\r\n\r\n").length - 1;
      for (; answered < heads; answered++) wire.write(answer);
    });
  });

/** A port that nobody listens on. */
export async function unusedPort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A request for the tunnel, with `Connection: close` unless told otherwise. */
export const get = (path = "/", ...headers: string[]): string =>
  request("GET", path, ["Connection: close", ...headers]);

/** A request for the tunnel. */
export const request = (
  method: string,
  path: string,
  headers: readonly string[] = [],
  body = "",
): string =>
  `${[`${method} ${path} HTTP/1.1`, "Host: app.test", ...headers].join("\r\n")}\r\n\r\n${body}`;
