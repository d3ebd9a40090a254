// What all sessions of one edge share.
import type { LiveTunnel } from "../routes/live-tunnel.ts";
import type { TunnelBook } from "../routes/table.ts";
import type { RequestFeed } from "./request-feed.ts";
import type { TenantLog } from "./tenant-log.ts";

/** What control/ needs. */
export interface ControlOptions {
  readonly table: TunnelBook;
  /** URL of a tunnel with `*` in place of its name, for `welcome`. */
  readonly urlPattern: () => string;
  /** Makes a request target fit for other people's eyes: secrets redacted, control bytes escaped, cut. */
  readonly formatTarget: (target: string) => string;
  /** Hears of each new tunnel whose client waits for a first byte before it dials its local service. */
  readonly onOpened?: (tunnel: LiveTunnel) => void;
  readonly log: ControlLog;
}

/** What control/ tells the operator. */
export interface ControlLog {
  error(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
}

/** The options, and what sessions keep there. */
export interface ControlContext extends ControlOptions {
  /** By tunnel name: who hears of its requests. */
  readonly feeds: Map<string, RequestFeed>;
  /** Tells a session that the edge is stopping. */
  readonly drains: Set<() => void>;
  /** What clients are refused. */
  readonly refusals: TenantLog;
  /** Which tunnels they open, close and lose. */
  readonly openings: TenantLog;
  /** Sessions with a control channel open now. */
  readonly sessionCounts: Record<"openssh" | "embedded", number>;
}
