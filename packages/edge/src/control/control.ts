// The edge's end of the control protocol: turns sessions into tunnels, and tells each owner of its requests.
import type { RequestObserver } from "../access-log/record.ts";
import type { SessionHandlers } from "../ingress/handlers.ts";
import type { ControlContext, ControlOptions } from "./context.ts";
import { openPlainTunnel } from "./plain-tunnel.ts";
import { createRefusalLog } from "./refusal-log.ts";
import { serveSession } from "./session.ts";

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
  const context: ControlContext = {
    ...options,
    feeds: new Map(),
    drains: new Set(),
    refusals: createRefusalLog({
      info: (message, fields) => options.log.info(message, fields),
      clock: () => performance.now(),
    }),
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
