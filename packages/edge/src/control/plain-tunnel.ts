// Tunnels of plain OpenSSH clients, which speak no control protocol: a forward is all that they ask for.
import type { RequestObserver } from "../access-log/record.ts";
import type { Forward } from "../ingress/forward.ts";
import type { PlainSession, PlainTunnel } from "../ingress/handlers.ts";
import type { LiveTunnel } from "../routes/live-tunnel.ts";
import type { OpenedTunnel } from "../routes/table.ts";
import type { ControlContext } from "./context.ts";
import type { RequestFeed } from "./request-feed.ts";

/**
 * Opens a tunnel for a plain client's forward; it lasts as long as that client's session and forward do.
 *
 * @throws ControlRefusal (or rejects with it) when the name is not to be had
 */
export function openPlainTunnel(
  context: ControlContext,
  session: PlainSession,
  forward: Forward,
  name: string | undefined,
): PlainTunnel | Promise<PlainTunnel> {
  const { table, feeds } = context;
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
  const opened = table.open(
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
  return opened instanceof Promise ? opened.then(begin) : begin(opened);

  function begin({ tunnel }: OpenedTunnel): PlainTunnel {
    if (!tunnel.closed) feeds.set(tunnel.name, feed);
    const forgetSession = session.onceEnded(() => {
      forget(tunnel);
      table.close(tunnel, "lost");
    });
    // One connection may see forwards come and go without end.
    tunnel.onceClosed(forgetSession);
    context.openings.write(session.identity.id, "tunnel opened", {
      tunnel: tunnel.name,
      ingress: "embedded",
    });
    return {
      name: tunnel.name,
      url: tunnel.url,
      observe(next) {
        observer = next;
        table.tell(tunnel, { watched: next !== undefined });
      },
      close() {
        forget(tunnel);
        table.close(tunnel, "released");
      },
    };
  }
}
