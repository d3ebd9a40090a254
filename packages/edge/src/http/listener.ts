// The edge's HTTP side: listens for visitors, hands each request to the pipeline, checks time limits, and stops without
// cutting off what is running.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RequestObserver } from "../access-log/record.ts";
import type { EdgeError } from "../errors.ts";
import type { Router, Tunnel } from "../routes/tunnel.ts";
import { listenFailed } from "../util/listen.ts";
import { startClosing, type Closing } from "./closing.ts";
import type { Engine } from "./engine.ts";
import { createTrustedProxies } from "./forwarded.ts";
import { guarded } from "./guard.ts";
import {
  defaultHttpLimits,
  defaultHttpTimeouts,
  type HttpLimits,
  type HttpTimeouts,
} from "./limits.ts";
import { MAX_PLAIN_BYTES } from "./plain-request.ts";
import { TunnelStates } from "./tunnel-state.ts";
import { createVisitorServer } from "./visitor-server.ts";

/** What the HTTP side needs. */
export interface HttpEdgeOptions {
  readonly router: Router;
  /** Hears of every request once, when it is over. */
  readonly observer: RequestObserver;
  /** How visitors reach the edge, for X-Forwarded-Proto and -Port. Port 0: the one that is bound first. */
  readonly publicScheme: "http" | "https";
  readonly publicPort: number;
  /** IP addresses and CIDR blocks of the proxies in front of the edge. Default: none. */
  readonly trustedProxies?: readonly string[];
  readonly limits?: Partial<HttpLimits>;
  readonly timeouts?: Partial<HttpTimeouts>;
  /** Connections that are kept open in advance for each tunnel that was warmed. Default: 2. */
  readonly spareConnections?: number;
  /** Connections of a visitor (as visitor-key.ts has it) to other processes, which count as well. Default: none. */
  readonly visitorsElsewhere?: (key: string) => number;
  /** Hears of errors that nobody foresaw. What they hit is ended, the edge goes on. Default: they are thrown. */
  readonly onBug?: (error: unknown) => void;
  /** Milliseconds since 1970, for records. Default: Date.now. */
  readonly now?: () => number;
  /** Milliseconds of a clock that never jumps, for durations and limits. Default: performance.now. */
  readonly clock?: () => number;
}

// Connections that the kernel takes while the edge is busy (net.core.somaxconn allows as many). With Node's 511 a burst
// of 2,000 lost SYNs, and who loses one waits a second.
const BACKLOG = 4_096;

/** Gauges, for the metrics. */
export interface HttpEdgeStats {
  /** Visitors' connections, and how many were turned away at a limit since the start. */
  readonly connections: number;
  readonly refusedConnections: number;
  readonly requests: number;
  readonly upgrades: number;
  /** Pooled connections through all tunnels. */
  readonly upstreamConnections: number;
}

/** The HTTP side of an edge. */
export interface HttpEdge {
  /**
   * Listens on one more address.
   *
   * @param port 0 for any free one
   * @returns what was bound
   * @throws EdgeError `listen-failed`
   */
  listen(host: string, port: number): Promise<AddressInfo>;
  /** The address that was bound first; undefined while none is. */
  address(): AddressInfo | undefined;
  /**
   * Opens connections for a tunnel in advance, and keeps some ready from now on. Not for a tunnel whose client dials
   * the upstream as soon as a connection opens (a plain `ssh -R`): a single-threaded server would hang on them.
   */
  warm(tunnel: Tunnel): void;
  stats(): HttpEdgeStats;
  /** Visitors with more than `few` connections here, by their keys. */
  busyVisitors(few: number): [key: string, connections: number][];
  /**
   * Stops: accepts no more, lets running requests finish, closes idle connections, and sends WebSockets away with
   * status 1001. What is left after `deadlineMs` is cut off. Tunnels stay open. A later call may only bring the
   * deadline forward; all calls resolve together, when the last connection has closed.
   */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

/**
 * Builds the HTTP side of an edge. It listens nowhere yet.
 *
 * @throws EdgeError `config-invalid` for trusted proxies that are no addresses
 */
export function createHttpEdge(options: HttpEdgeOptions): HttpEdge {
  const engine = createEngine(options);
  const { limits, timeouts } = engine;
  const servers: Server[] = [];
  let sweeper: NodeJS.Timeout | undefined;
  let closing: Closing | undefined;

  function sweep(): void {
    const now = engine.clock();
    engine.coarseNow = now;
    guarded(engine, () => engine.tunnels.sweep(now));
    for (const connection of engine.connections)
      guarded(engine, () => connection.checkRequest(now));
    for (const connection of engine.connections)
      guarded(engine, () => connection.check(now));
  }

  return {
    async listen(host, port) {
      if (closing) throw failed(host, port, new Error("it is closing"));
      const server = createVisitorServer(engine);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host, backlog: BACKLOG }, () => {
          server.off("error", reject);
          resolve();
        });
      }).catch((cause: Error) => {
        throw failed(host, port, cause);
      });
      // One connection that the system could not hand over must not end the process: the next one may come through.
      server.on("error", engine.onBug);
      servers.push(server);
      const bound = server.address() as AddressInfo;
      if (engine.address.port === 0) engine.address.port = bound.port;
      sweeper ??= setInterval(sweep, timeouts.sweepMs).unref();
      return bound;
    },
    address: () =>
      (servers[0]?.address() ?? undefined) as AddressInfo | undefined,
    warm: (tunnel) =>
      engine.tunnels
        .of(tunnel)
        .pool.keepSpares(
          Math.min(options.spareConnections ?? 2, limits.connectionsPerTunnel),
        ),
    stats: () => ({
      connections: engine.connections.size,
      refusedConnections: engine.refusedConnections,
      requests: engine.requests - engine.upgrades.size,
      upgrades: engine.upgrades.size,
      upstreamConnections: engine.tunnels.connections,
    }),
    busyVisitors: (few) =>
      [...engine.perVisitor].filter(([, count]) => count > few),
    close({ deadlineMs }) {
      closing ??= startClosing(engine, servers, () => clearInterval(sweeper));
      closing.by(deadlineMs);
      return closing.closed;
    },
  };
}

function createEngine(options: HttpEdgeOptions): Engine {
  const limits = { ...defaultHttpLimits, ...options.limits };
  const timeouts = { ...defaultHttpTimeouts, ...options.timeouts };
  const onBug = options.onBug ?? throwLater;
  const now = options.now ?? Date.now;
  const clock = options.clock ?? (() => performance.now());
  return {
    router: options.router,
    observer: options.observer,
    limits,
    timeouts,
    proxies: createTrustedProxies(options.trustedProxies ?? []),
    lane: {
      maxHeadBytes: Math.min(MAX_PLAIN_BYTES, limits.requestHeadBytes / 2),
      // As Node's server says it on connections that it reads.
      keepAliveLines: `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(timeouts.keepAliveMs / 1_000)}\r\n`,
      now,
    },
    address: { scheme: options.publicScheme, port: options.publicPort },
    now,
    onBug,
    tunnels: new TunnelStates(limits, timeouts, onBug),
    connections: new Set(),
    perVisitor: new Map(),
    visitorsElsewhere: options.visitorsElsewhere,
    requests: 0,
    upgrades: new Set(),
    refusedConnections: 0,
    draining: false,
    clock,
    coarseNow: clock(),
  };
}

const failed = (host: string, port: number, cause: Error): EdgeError =>
  listenFailed({ host, port }, "visitors' HTTP", "listen", cause);

// Without anybody to tell, a bug must not pass in silence.
function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
