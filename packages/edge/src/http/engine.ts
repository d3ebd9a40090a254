// What all requests of one edge share.
import type { RequestObserver } from "../access-log/record.ts";
import type { Router } from "../routes/tunnel.ts";
import type { PublicAddress, TrustedProxies } from "./forwarded.ts";
import type { HttpLimits, HttpTimeouts } from "./limits.ts";
import type { LaneOptions } from "./plain-lane.ts";
import type { TunnelStates } from "./tunnel-state.ts";

/** A visitor's connection, as far as the edge ends it. */
export interface OpenConnection {
  /** Ends it if a time limit has passed. @param now by the engine's clock */
  check(now: number): void;
  /** Ends its request if a time limit of that has passed. @param now by the engine's clock */
  checkRequest(now: number): void;
  /** Whether no request is running or arriving. */
  readonly idle: boolean;
  /** Half-closes, and closes when the visitor has, or has had time to. For a connection that is idle. */
  endGently(): void;
  /** Resolves when it has closed. */
  untilClosed(): Promise<void>;
  /** Closes at once. */
  destroy(): void;
}

/** A WebSocket. */
export interface OpenUpgrade {
  /** Tells the visitor that the edge is going away, and ends it in good order. */
  goAway(): void;
}

/** The HTTP engine of one edge, whatever addresses it listens on. */
export interface Engine {
  readonly router: Router;
  readonly observer: RequestObserver;
  readonly limits: HttpLimits;
  readonly timeouts: HttpTimeouts;
  readonly proxies: TrustedProxies;
  readonly lane: LaneOptions;
  /** The port is set once the first one is bound, where nobody said which it is. */
  readonly address: { scheme: PublicAddress["scheme"]; port: number };
  /** Milliseconds since 1970, for records. */
  readonly now: () => number;
  /** Hears of errors that nobody foresaw; what they hit was ended already. */
  readonly onBug: (error: unknown) => void;
  readonly tunnels: TunnelStates;
  readonly connections: Set<OpenConnection>;
  readonly perVisitor: Map<string, number>;
  /** What a visitor has in other processes; undefined where there are none. */
  readonly visitorsElsewhere: ((key: string) => number) | undefined;
  /**
   * Those that are not over. Not a set of them: what is added and removed with each request makes V8 replace the set's
   * table again and again, and a table that has grown old keeps all later ones, with all that was in them, until the
   * next full collection.
   */
  requests: number;
  readonly upgrades: Set<OpenUpgrade>;
  /** Connections that were turned away because of a limit, since the start. */
  refusedConnections: number;
  /** Whether the edge is stopping: what is running finishes, and every answer closes its connection. */
  draining: boolean;
  /** Milliseconds of a clock that never jumps: all durations and limits are its. */
  readonly clock: () => number;
  /** `clock()`, as old as the last sweep or the last request: good enough for limits of seconds. */
  coarseNow: number;
}
