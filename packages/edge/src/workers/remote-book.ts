// The worker's side of the routes: a copy of the primary's table, and the claims of this worker's own sessions.
import { EdgeError } from "../errors.ts";
import type { Forward } from "../ingress/forward.ts";
import type { DirectForwards } from "../ingress/openssh/direct-forwards.ts";
import { ControlRefusal } from "../refusal.ts";
import {
  LiveTunnel,
  type CloseCause,
  type TunnelOwner,
} from "../routes/live-tunnel.ts";
import type { RouteReplica } from "../routes/replica.ts";
import type {
  OpenedTunnel,
  TunnelBook,
  TunnelRequest,
} from "../routes/table.ts";
import { ChannelClosed, type Channel } from "./channel.ts";
import type {
  ClaimAnswer,
  ToPrimary,
  WireRoute,
  WireTunnel,
} from "./messages.ts";
import { PeerForward } from "./peer-forward.ts";

/** What the book needs. */
export interface RemoteBookOptions {
  /** This worker's number. */
  readonly worker: number;
  readonly channel: Pick<Channel<ToPrimary>, "tell" | "ask">;
  readonly replica: RouteReplica;
  /** Forwards of the primary's sessions. */
  readonly direct: DirectForwards;
  /** Path of another worker's door. */
  readonly doorOf: (worker: number) => string;
  readonly secret: string;
  /** Keeps connections through a tunnel ready. */
  readonly warm: (tunnel: LiveTunnel) => void;
}

/** See the file's head. */
export interface RemoteBook extends TunnelBook {
  open(owner: TunnelOwner, request: TunnelRequest): Promise<OpenedTunnel>;
  /** Takes over a change that the primary tells of. */
  apply(route: WireRoute): void;
  /** A tunnel of a session here was taken over. */
  superseded(tunnel: number): void;
  /** A forward of a session here, for the other workers. */
  forward(number: number): Forward | undefined;
  /** The primary's number of a tunnel. */
  numberOf(tunnel: LiveTunnel): number;
  /** Whether a tunnel's session is here. */
  isOwn(tunnel: LiveTunnel): boolean;
}

interface Claimed {
  readonly owner: TunnelOwner;
  readonly forward: Forward;
  /** Set when the primary has told of it. */
  tunnel: LiveTunnel | undefined;
}

/** Builds the book. */
export function createRemoteBook(options: RemoteBookOptions): RemoteBook {
  const { channel, replica } = options;
  const tunnels = new Map<number, LiveTunnel>();
  const numbers = new WeakMap<LiveTunnel, number>();
  const owners = new WeakMap<TunnelOwner, number>();
  /** By this worker's number of the forward. */
  const claims = new Map<number, Claimed>();
  const own = new WeakSet<LiveTunnel>();
  let lastOwner = 0;
  let lastForward = 0;

  async function open(
    owner: TunnelOwner,
    request: TunnelRequest,
  ): Promise<OpenedTunnel> {
    const { name, resume, hostHeader, upstream } = request;
    const number = ++lastForward;
    const { forward, release } = holdBack(request.forward);
    const claimed: Claimed = { owner, forward, tunnel: undefined };
    claims.set(number, claimed);
    try {
      const answer = await channel.ask<ClaimAnswer>({
        t: "claim",
        owner: numberOfOwner(owner),
        identity: owner.identity.id,
        forward: number,
        port: forward.port,
        ...{ name, resume, hostHeader, upstream },
      });
      // The client has to hear of its tunnel before it hears of a visitor.
      setImmediate(release);
      return { tunnel: claimed.tunnel!, resume: answer.resume };
    } catch (error) {
      claims.delete(number);
      if (error instanceof ChannelClosed)
        throw new ControlRefusal("draining", "The edge is stopping.");
      throw error;
    }
  }

  function numberOfOwner(owner: TunnelOwner): number {
    const number = owners.get(owner) ?? ++lastOwner;
    owners.set(owner, number);
    return number;
  }

  function apply(route: WireRoute): void {
    switch (route.kind) {
      case "open":
        return opened(route.tunnel);
      case "news": {
        const { upstreamDown, watched } = route;
        const tunnel = tunnels.get(route.tunnel);
        if (tunnel) Object.assign(tunnel, { upstreamDown, watched });
        return;
      }
      case "warm": {
        const tunnel = tunnels.get(route.tunnel);
        if (tunnel) options.warm(tunnel);
        return;
      }
      case "away":
        return replica.away(route.name, route.identity);
      case "free":
        return replica.free(route.name);
    }
  }

  function opened(wire: WireTunnel): void {
    const { id, name, hostname, url, hostHeader, upstream, news } = wire;
    const { owner, forward, end, claimed } = reach(wire);
    const tunnel = new LiveTunnel({
      ...{ name, hostname, url, owner, forward, hostHeader, upstream },
    });
    Object.assign(tunnel, news);
    tunnels.set(id, tunnel);
    numbers.set(tunnel, id);
    tunnel.onceClosed(() => {
      tunnels.delete(id);
      end();
    });
    replica.open(tunnel);
    if (wire.warm) options.warm(tunnel);
    if (!claimed) return;
    claimed.tunnel = tunnel;
    own.add(tunnel);
    const forget = forward.onceClosed(() => {
      if (tunnel.closed) return;
      close(tunnel, "lost");
      owner.lost(tunnel);
    });
    tunnel.onceClosed(forget);
  }

  // How requests that arrive here get to a tunnel's client.
  function reach({ via, identity }: WireTunnel): {
    owner: TunnelOwner;
    forward: Forward;
    end: () => void;
    claimed?: Claimed;
  } {
    if (via.kind === "direct") {
      const { forward, end } = options.direct.add(via.route);
      return { owner: stranger(identity), forward, end };
    }
    const claimed =
      via.worker === options.worker ? claims.get(via.forward) : undefined;
    if (claimed) {
      const { owner, forward } = claimed;
      return {
        ...{ owner, forward, claimed },
        end: () => claims.delete(via.forward),
      };
    }
    const { worker, forward: number, port } = via;
    const forward = new PeerForward({
      path: options.doorOf(worker),
      secret: options.secret,
      forward: number,
      port,
    });
    return {
      owner: stranger(identity),
      forward,
      end: () => forward.markClosed(),
    };
  }

  function close(tunnel: LiveTunnel, cause: CloseCause): void {
    if (tunnel.closed) return;
    replica.ended(tunnel, cause === "lost");
    channel.tell({ t: "close", tunnel: numbers.get(tunnel)!, cause });
  }

  return {
    open,
    close,
    tell(tunnel, news) {
      if (tunnel.closed) return;
      Object.assign(tunnel, news);
      channel.tell({ t: "news", tunnel: numbers.get(tunnel)!, news });
    },
    apply,
    superseded(id) {
      const tunnel = tunnels.get(id);
      if (!tunnel) return;
      // The next message says who has the name now; visitors wait that long.
      replica.ended(tunnel, true);
      tunnel.owner.superseded(tunnel);
    },
    forward: (number) => claims.get(number)?.forward,
    numberOf: (tunnel) => numbers.get(tunnel)!,
    isOwn: (tunnel) => own.has(tunnel),
  };
}

// Connections wait until it is released. It ends as the forward does.
function holdBack(inner: Forward): { forward: Forward; release: () => void } {
  let release = (): void => {};
  let held: Promise<void> | undefined = new Promise((resolve) => {
    release = resolve;
  });
  return {
    release() {
      held = undefined;
      release();
    },
    forward: {
      port: inner.port,
      get closed() {
        return inner.closed;
      },
      async connect(visitor) {
        if (held) await held;
        if (inner.closed)
          throw new EdgeError("forward-failed", "The forward has ended.");
        return inner.connect(visitor);
      },
      onceClosed: (callback) => inner.onceClosed(callback),
    },
  };
}

const stranger = (id: string): TunnelOwner => ({
  identity: { id, names: undefined, maxTunnels: undefined, directPorts: [] },
  superseded() {},
  lost() {},
});
