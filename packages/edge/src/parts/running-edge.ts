// What edge.ts starts and stops: an edge of one process (single.ts), or of several (workers/primary.ts).
import type { ListenAddress } from "../config/values.ts";
import type { Readiness } from "../metrics/admin.ts";
import type { Log } from "../util/log.ts";

/** Where a running edge listens; ports are the real ones. */
export interface EdgeAddresses {
  readonly http: readonly ListenAddress[];
  /** Of the embedded SSH server; empty where it is off. */
  readonly ssh: readonly ListenAddress[];
  readonly admin: ListenAddress | undefined;
}

/** The parts of an edge, put together. */
export interface RunningEdge {
  /** @throws EdgeError when a part cannot start; what started before it is left to close() */
  start(): Promise<void>;
  /** Stops in the order that its file says. A later call brings the deadline forward; all resolve together. */
  close(deadlineMs: number): Promise<void>;
  /** Opens the access log's file again, after it was renamed. */
  reopenLogs(): void;
  /** Reads the users file now, watcher or not. */
  reloadUsers(): Promise<void>;
  /** Once it has started. */
  readonly addresses: EdgeAddresses;
  readonly urlPattern: () => string;
}

/** What the parts are told by the edge that they make up. */
export interface EdgeContext {
  readonly log: Log;
  readonly readiness: () => Readiness;
}
