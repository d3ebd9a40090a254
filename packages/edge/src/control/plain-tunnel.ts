// Tunnels of plain OpenSSH clients, which speak no control protocol: a forward is all that they ask for.
import type { RequestObserver } from "../access-log/record.ts";
import type { Forward } from "../ingress/forward.ts";
import type { PlainSession, PlainTunnel } from "../ingress/handlers.ts";
import type { LiveTunnel } from "../routes/live-tunnel.ts";
import { describeTunnel, type ControlContext } from "./context.ts";
import type { RequestFeed } from "./request-feed.ts";

/**
 * Opens a tunnel for a plain client's forward; it lasts as long as that client's session and forward do.
 *
 * @throws ControlRefusal when the name is not to be had
 */
export function openPlainTunnel(
  { table, log, feeds }: ControlContext,
  session: PlainSession,
  forward: Forward,
  name: string | undefined,
): PlainTunnel {
  let observer: RequestObserver | undefined;
  const feed: RequestFeed = {
    enabled: true,
    name() {},
    forget() {},
    push: (record) => observer?.(record),
  };
  const forget = (tunnel: LiveTunnel): void => {
    if (feeds.get(tunnel.name) === feed) feeds.delete(tunnel.name);
  };
  const { tunnel } = table.open(
    {
      identity: session.identity,
      superseded(closed) {
        forget(closed);
        session.end(`${closed.url} was opened again from elsewhere.`);
      },
      lost: forget,
    },
    {
      name,
      resume: undefined,
      forward,
      hostHeader: "preserve",
      upstream: "the local service",
    },
  );
  feeds.set(tunnel.name, feed);
  session.onceEnded(() => {
    forget(tunnel);
    table.close(tunnel, "lost");
  });
  log.info("tunnel opened", { ...describeTunnel(tunnel), ingress: "embedded" });
  return {
    name: tunnel.name,
    url: tunnel.url,
    observe(next) {
      observer = next;
    },
    close() {
      forget(tunnel);
      table.close(tunnel, "released");
    },
  };
}
