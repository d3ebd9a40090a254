// Who holds one name, and until when. A lease has a tunnel, or waits a while for its owner to come back.
import type { LiveTunnel } from "./live-tunnel.ts";
import type { Route } from "./tunnel.ts";

/** One held name. */
export interface Lease {
  readonly identityId: string;
  /** Undefined while the owner is away. */
  readonly tunnel: LiveTunnel | undefined;
  /** What the name leads to while the owner is away. */
  readonly away: Route & { kind: "away" };
  /** Gives the name to a (newer) tunnel of the same identity; whoever waits gets it. */
  hold(tunnel: LiveTunnel): void;
  /** Keeps the name without a tunnel for `graceMs`, then drops it. Undefined: until it is told to. */
  keep(graceMs: number | undefined): void;
  /** Ends the lease: waiting visitors get nothing, the name is free. Idempotent. */
  drop(): void;
}

// A client that lost its link tries again within seconds; sooner than this a visitor would ask in vain.
const RETRY_AFTER_S = 5;

/** @param onDropped called once, when the name is free again */
export function createLease(
  identityId: string,
  first: LiveTunnel | undefined,
  onDropped: () => void,
): Lease {
  let tunnel = first;
  let timer: NodeJS.Timeout | undefined;
  let dropped = false;
  const waiting = new Set<(tunnel: LiveTunnel | undefined) => void>();

  function settle(result: LiveTunnel | undefined): void {
    const callbacks = [...waiting];
    waiting.clear();
    for (const callback of callbacks) callback(result);
  }

  function drop(): void {
    if (dropped) return;
    dropped = true;
    clearTimeout(timer);
    tunnel = undefined;
    onDropped();
    settle(undefined);
  }

  const away: Route & { kind: "away" } = {
    kind: "away",
    retryAfterS: RETRY_AFTER_S,
    back(waitMs) {
      if (tunnel || dropped) return Promise.resolve(tunnel);
      return new Promise((resolve) => {
        const finish = (result: LiveTunnel | undefined): void => {
          clearTimeout(patience);
          waiting.delete(finish);
          resolve(result);
        };
        const patience = setTimeout(finish, waitMs, undefined);
        waiting.add(finish);
      });
    },
  };

  return {
    identityId,
    away,
    get tunnel() {
      return tunnel;
    },
    hold(next) {
      clearTimeout(timer);
      tunnel = next;
      settle(next);
    },
    keep(graceMs) {
      tunnel = undefined;
      clearTimeout(timer);
      if (graceMs === undefined) return;
      timer = setTimeout(drop, graceMs);
      timer.unref();
    },
    drop,
  };
}
