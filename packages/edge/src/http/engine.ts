// What all requests of one edge share.
import type { RequestObserver } from "../access-log/record.ts";
import type { Router } from "../routes/tunnel.ts";
import type { PublicAddress, TrustedProxies } from "./forwarded.ts";
import type { HttpLimits, HttpTimeouts } from "./limits.ts";
import type { LaneOptions } from "./plain-lane.ts";
import type { TunnelStates } from "./tunnel-state.ts";
import type { LiveUpgrade } from "./live-upgrade.ts";
import type { Visit } from "./visit.ts";
import type { VisitorConnection } from "./visitor-connection.ts";

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
  readonly connections: Set<VisitorConnection>;
  readonly perVisitor: Map<string, number>;
  /** What a visitor has in other processes; undefined where there are none. */
  readonly visitorsElsewhere: ((key: string) => number) | undefined;
  readonly visits: Set<Visit>;
  readonly upgrades: Set<LiveUpgrade>;
  /** Connections that were turned away because of a limit, since the start. */
  refusedConnections: number;
  /** Whether the edge is stopping: what is running finishes, and every answer closes its connection. */
  draining: boolean;
  /** Milliseconds of a clock that never jumps: all durations and limits are its. */
  readonly clock: () => number;
  /** `clock()`, as old as the last sweep or the last request: good enough for limits of seconds. */
  coarseNow: number;
}
