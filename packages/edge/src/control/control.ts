// The edge's end of the control protocol: turns sessions into tunnels, and tells each owner of its requests.
import type { RequestObserver } from "../access-log/record.ts";
import type { SessionHandlers } from "../ingress/handlers.ts";
import type { ControlContext, ControlOptions } from "./context.ts";
import { openPlainTunnel } from "./plain-tunnel.ts";
import { serveSession } from "./session.ts";
import { createTenantLog, type TenantLog } from "./tenant-log.ts";

/** The control side of one edge. */
export interface Control extends SessionHandlers {
  /** Passes each finished request on to whoever owns its tunnel and wants to hear of it. */
  readonly observe: RequestObserver;
  /** Tells every session that the edge is stopping and that coming back makes sense. Ends none. */
  announceDrain(): void;
  /** Sessions with a control channel open now, by ingress. */
  readonly sessionCounts: Readonly<Record<"openssh" | "embedded", number>>;
}

/** Builds the control side. */
export function createControl(options: ControlOptions): Control {
  const tenantLog = (burst: number): TenantLog =>
    createTenantLog({
      burst,
      info: (message, fields) => options.log.info(message, fields),
      clock: () => performance.now(),
    });
  const context: ControlContext = {
    ...options,
    feeds: new Map(),
    drains: new Set(),
    // A person's mistakes all stand there; a program's are enough to see that there are many.
    refusals: tenantLog(20),
    // All that one identity may hold come back at once after a restart.
    openings: tenantLog(2_000),
    sessionCounts: { openssh: 0, embedded: 0 },
  };
  return {
    serve: (session) => serveSession(session, context),
    openPlain: (session, forward, name) =>
      openPlainTunnel(context, session, forward, name),
    observe(record) {
      if (record.tunnel === undefined) return;
      const feed = context.feeds.get(record.tunnel);
      if (feed?.enabled) feed.push(record, options.formatTarget);
    },
    announceDrain() {
      for (const drain of context.drains) drain();
    },
    sessionCounts: context.sessionCounts,
  };
}
