// The visitors' side of one process: the HTTP engine as the configuration wants it, and the addresses that it listens on.
import type { RequestObserver } from "../access-log/record.ts";
import type { EdgeConfig } from "../config/schema.ts";
import type { ListenAddress } from "../config/values.ts";
import type { HttpLimits, HttpTimeouts } from "../http/limits.ts";
import { createHttpEdge, type HttpEdge } from "../http/listener.ts";
import type { EdgeMetricsSources } from "../metrics/edge-metrics.ts";
import type { Router } from "../routes/tunnel.ts";
import type { Log } from "../util/log.ts";
import { stackOf } from "./observe-all.ts";

/** The visitors' side. */
export interface Visitors {
  readonly http: HttpEdge;
  /** What the metrics show of it. */
  readonly figures: Pick<
    EdgeMetricsSources,
    | "visitorConnections"
    | "refusedConnections"
    | "requestsInFlight"
    | "upgradesOpen"
  >;
  /** Listens on every address of the configuration, and puts what was bound into `bound`. @throws EdgeError */
  listen(): Promise<void>;
}

/** What it needs beside the configuration. */
export interface VisitorsOptions {
  readonly router: Router;
  readonly observer: RequestObserver;
  /** Filled by listen(), in the order of the configuration. */
  readonly bound: ListenAddress[];
  readonly log: Pick<Log, "error">;
  /** Connections of a visitor in the edge's other processes, which count as well. Default: none. */
  readonly visitorsElsewhere?: (key: string) => number;
}

/** Builds it; it listens nowhere yet. */
export function createVisitors(
  config: EdgeConfig,
  { router, observer, bound, log, visitorsElsewhere }: VisitorsOptions,
): Visitors {
  const http = createHttpEdge({
    router,
    observer,
    publicScheme: config.publicUrl?.scheme ?? "http",
    publicPort: config.publicUrl?.port ?? config.listen[0]!.port,
    trustedProxies: config.trustedProxies,
    limits: httpLimits(config),
    timeouts: httpTimeouts(config),
    // Each process keeps its own, so that several together keep about as many as one would.
    spareConnections: Math.max(1, Math.round(SPARES / config.workers)),
    onBug: (error) => log.error("bug", { error: stackOf(error) }),
    ...(visitorsElsewhere && { visitorsElsewhere }),
  });
  return {
    http,
    figures: {
      visitorConnections: () => http.stats().connections,
      refusedConnections: () => http.stats().refusedConnections,
      requestsInFlight: () => http.stats().requests,
      upgradesOpen: () => http.stats().upgrades,
    },
    async listen() {
      for (const { host, port } of config.listen) {
        const { address, port: real } = await http.listen(host, port);
        bound.push({ host: address, port: real });
      }
    },
  };
}

const SPARES = 2;

// What one tunnel or the whole edge may have is divided among the processes. What one visitor may have is not: they tell
// each other.
function httpLimits({ limits, workers }: EdgeConfig): Partial<HttpLimits> {
  const share = (limit: number): number => Math.ceil(limit / workers);
  return {
    requestHeadBytes: limits.headerBytes,
    headerFields: limits.headerFields,
    responseHeadBytes: limits.responseHeaderBytes,
    connections: share(limits.connections),
    connectionsPerVisitor: limits.connectionsPerVisitor,
    requestsPerTunnel: share(limits.requestsPerTunnel),
    connectionsPerTunnel: share(limits.connectionsPerTunnel),
    connectsPerTunnel: share(limits.connectsPerTunnel),
    upgradesPerTunnel: share(limits.upgradesPerTunnel),
  };
}

const httpTimeouts = ({ timeouts }: EdgeConfig): Partial<HttpTimeouts> => ({
  headersMs: timeouts.headers,
  keepAliveMs: timeouts.idle,
  awayWaitMs: timeouts.awayWait,
  connectMs: timeouts.connect,
  firstByteMs: timeouts.firstByte,
  responseIdleMs: timeouts.responseIdle,
  requestIdleMs: timeouts.requestIdle,
  visitorStallMs: timeouts.visitorStall,
});
