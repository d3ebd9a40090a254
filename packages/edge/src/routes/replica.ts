// The routes as a process knows them that does not decide about them: a copy that is told of every change.
import { createLease, type Lease } from "./lease.ts";
import type { LiveTunnel } from "./live-tunnel.ts";
import { createRouter, type RouterOptions } from "./router.ts";
import type { Router } from "./tunnel.ts";

/** A copy of the routes. */
export interface RouteReplica extends Router {
  /** The open tunnel of that name. */
  readonly named: (name: string) => LiveTunnel | undefined;
  /** The name leads to this tunnel now. The one before it is closed; whoever waits for the client gets the new one. */
  open(tunnel: LiveTunnel): void;
  /** The name is kept for its owner, who is away. Its tunnel is closed. */
  away(name: string, identityId: string): void;
  /** The name is nobody's. Its tunnel is closed, and whoever waited gets nothing. */
  free(name: string): void;
  /**
   * The tunnel has ended here, and the others will hear of it. A name that leads elsewhere by now stays as it is.
   *
   * @param kept whether the name is kept for its owner
   */
  ended(tunnel: LiveTunnel, kept: boolean): void;
  /** Closes every tunnel and frees every name. */
  dispose(): void;
}

/** Builds an empty copy. */
export function createRouteReplica(options: RouterOptions): RouteReplica {
  const leases = new Map<string, Lease>();

  function hold(
    name: string,
    identityId: string,
    tunnel: LiveTunnel | undefined,
  ): void {
    const lease = leases.get(name);
    const previous = lease?.tunnel;
    if (lease && lease.identityId === identityId) {
      if (tunnel) lease.hold(tunnel);
      else lease.keep(undefined);
    } else {
      lease?.drop();
      leases.set(
        name,
        createLease(identityId, tunnel, () => leases.delete(name)),
      );
    }
    if (previous !== tunnel) previous?.markClosed();
  }

  function free(name: string): void {
    const lease = leases.get(name);
    const tunnel = lease?.tunnel;
    lease?.drop();
    tunnel?.markClosed();
  }

  return {
    find: createRouter(leases, options).find,
    named: (name) => leases.get(name)?.tunnel,
    open: (tunnel) => hold(tunnel.name, tunnel.identityId, tunnel),
    away: (name, identityId) => hold(name, identityId, undefined),
    free,
    ended(tunnel, kept) {
      if (leases.get(tunnel.name)?.tunnel !== tunnel) tunnel.markClosed();
      else if (kept) hold(tunnel.name, tunnel.identityId, undefined);
      else free(tunnel.name);
    },
    dispose() {
      for (const name of [...leases.keys()]) free(name);
    },
  };
}
