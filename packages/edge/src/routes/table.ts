// Names, leases and routes: who holds which name, and where a host name leads. One edge, in memory, synchronous.
//
// A name is its identity's: the same identity that asks for it again takes it over at once, another is refused. When
// a session vanishes, the lease stays for a grace period, in which visitors wait or hear 503 and nobody else gets in.
import type { Forward } from "../ingress/forward.ts";
import type { Identity } from "../registry/identity.ts";
import { ControlRefusal } from "../refusal.ts";
import { createLease, type Lease } from "./lease.ts";
import {
  LiveTunnel,
  type CloseCause,
  type TunnelNews,
  type TunnelOwner,
} from "./live-tunnel.ts";
import { checkName, randomName } from "./names.ts";
import type { ResumeTokens } from "./resume.ts";
import { createRouter } from "./router.ts";
import type { Router } from "./tunnel.ts";

/** What the table needs to know of the edge. */
export interface RouteTableOptions {
  /** Domains that names live under, lower case; the first one is used in URLs. At least one. */
  readonly domains: readonly string[];
  /** Makes the public URL of a host name. */
  readonly urlOf: (hostname: string) => string;
  /** Names that nobody gets. */
  readonly reserved: ReadonlySet<string>;
  /** Whether the users file grants a chosen name to an identity. */
  readonly mayClaim: (identity: Identity, name: string) => boolean;
  readonly resume: ResumeTokens;
  /** How long a name is kept for an identity that vanished, milliseconds. */
  readonly graceMs: number;
  /** Tunnels that an identity may have open when the users file says nothing. */
  readonly maxTunnelsPerIdentity: number;
  /** Name that is served when the Host is an IP address; undefined: none is. */
  readonly defaultName: string | undefined;
  /** Hears of every change of what a name leads to, right after it: for other processes that route as well. */
  readonly onChange?: (change: RouteChange) => void;
}

/** What has become of a name. */
export type RouteChange =
  | { readonly kind: "open"; readonly tunnel: LiveTunnel }
  /** The tunnel's {@link TunnelNews}. */
  | { readonly kind: "news"; readonly tunnel: LiveTunnel }
  /** Kept for its owner, who is away. */
  | { readonly kind: "away"; readonly name: string; readonly identity: string }
  | { readonly kind: "free"; readonly name: string };

/** What a session asks for when it opens a tunnel. */
export interface TunnelRequest {
  /** Undefined: a random one. */
  readonly name: string | undefined;
  /** Token from an earlier `opened`; undefined for none. */
  readonly resume: string | undefined;
  readonly forward: Forward;
  readonly hostHeader: string;
  readonly upstream: string;
}

/** An opened tunnel and what lets its random name come back (empty for chosen names, which the users file governs). */
export interface OpenedTunnel {
  readonly tunnel: LiveTunnel;
  readonly resume: string;
}

/** Where sessions open and close their tunnels: the table itself, or what asks the process that has it. */
export interface TunnelBook {
  /**
   * Opens a tunnel for `owner`, taking the name over from an older session of the same identity. Whoever is told of
   * the tunnel's URL is told after this, when visitors get there.
   * @throws ControlRefusal (or rejects with it) when the name is not to be had or the identity has too many tunnels
   */
  open(
    owner: TunnelOwner,
    request: TunnelRequest,
  ): OpenedTunnel | Promise<OpenedTunnel>;
  /**
   * Closes a tunnel; the cause decides what becomes of its name. Idempotent. An identity has no more names kept for it
   * than it may have tunnels: the oldest go first.
   */
  close(tunnel: LiveTunnel, cause: CloseCause): void;
  /** Takes note of what its client says of an open tunnel. */
  tell(tunnel: LiveTunnel, news: Partial<TunnelNews>): void;
}

/** The routes of one edge. */
export interface RouteTable extends Router, TunnelBook {
  open(owner: TunnelOwner, request: TunnelRequest): OpenedTunnel;
  /** Closes an identity's tunnels and frees its names at once: its key was removed. */
  forget(identityId: string): void;
  /** What every held name leads to now, as a list of changes that lead there. */
  snapshot(): RouteChange[];
  /** Tunnels open now, and names kept for clients that are away. */
  readonly counts: { readonly open: number; readonly away: number };
  /** Drops every lease and its timer; nothing can be opened afterwards. Tunnels close as `released`. */
  dispose(): void;
}

/** Builds the route table of an edge. */
export function createRouteTable(options: RouteTableOptions): RouteTable {
  const leases = new Map<string, Lease>();
  const primaryDomain = options.domains[0]!;
  const { find } = createRouter(leases, options);
  const { onChange = () => {} } = options;
  let disposed = false;

  function open(owner: TunnelOwner, request: TunnelRequest): OpenedTunnel {
    if (disposed) throw new ControlRefusal("draining", "The edge is stopping.");
    const { name, random } = chooseName(owner.identity, request);
    const lease = leases.get(name);
    if (lease && lease.identityId !== owner.identity.id)
      throw new ControlRefusal(
        "name-taken",
        `The name "${name}" is taken by someone else; choose another.`,
      );
    const previous = lease?.tunnel;
    if (!previous) checkTunnelCount(owner.identity);

    const hostname = `${name}.${primaryDomain}`;
    const tunnel = new LiveTunnel({
      name,
      hostname,
      url: options.urlOf(hostname),
      owner,
      forward: request.forward,
      hostHeader: request.hostHeader,
      upstream: request.upstream,
    });
    if (previous) {
      previous.markClosed();
      lease!.hold(tunnel);
      // The same session may ask twice (its "opened" got lost on the way): then nothing was superseded.
      if (previous.owner !== owner) previous.owner.superseded(previous);
    } else if (lease) {
      lease.hold(tunnel);
    } else {
      leases.set(
        name,
        createLease(owner.identity.id, tunnel, () => {
          leases.delete(name);
          onChange({ kind: "free", name });
        }),
      );
    }
    onChange({ kind: "open", tunnel });
    const forgetForward = tunnel.forward.onceClosed(() => {
      if (tunnel.closed) return;
      close(tunnel, "lost");
      owner.lost(tunnel);
    });
    // One forward may see many tunnels come and go.
    tunnel.onceClosed(forgetForward);
    return {
      tunnel,
      resume: random ? options.resume.issue(owner.identity.id, name) : "",
    };
  }

  function chooseName(
    identity: Identity,
    request: TunnelRequest,
  ): { name: string; random: boolean } {
    const { name, resume } = request;
    if (name === undefined) {
      let fresh = randomName();
      while (leases.has(fresh) || options.reserved.has(fresh))
        fresh = randomName();
      return { name: fresh, random: true };
    }
    checkName(name, options.reserved);
    if (resume && options.resume.check(resume, identity.id, name))
      return { name, random: true };
    if (!options.mayClaim(identity, name))
      throw new ControlRefusal(
        "name-not-allowed",
        `The name "${name}" is not granted to ${identity.id}; ask the operator, or leave the name away for a random one.`,
      );
    return { name, random: false };
  }

  function checkTunnelCount(identity: Identity): void {
    const allowed = allowedTunnels(identity);
    let held = 0;
    for (const lease of leases.values())
      if (lease.tunnel && lease.identityId === identity.id) held++;
    if (held >= allowed)
      throw new ControlRefusal(
        "too-many-tunnels",
        `${identity.id} has ${held} tunnels open and may have ${allowed}; close one first.`,
      );
  }

  const allowedTunnels = (identity: Identity): number =>
    Math.min(identity.maxTunnels ?? Infinity, options.maxTunnelsPerIdentity);

  // Or a client that opens tunnels and vanishes, again and again, would hold names and memory without end.
  function limitAway({ identity }: TunnelOwner, newest: Lease): void {
    const away = [...leases.values()].filter(
      (lease) => !lease.tunnel && lease.identityId === identity.id,
    );
    if (away.length > allowedTunnels(identity))
      away.find((lease) => lease !== newest)?.drop();
  }

  function close(tunnel: LiveTunnel, cause: CloseCause): void {
    if (tunnel.closed) return;
    const lease = leases.get(tunnel.name);
    if (lease?.tunnel === tunnel) {
      if (cause === "lost" && !disposed) {
        lease.keep(options.graceMs);
        onChange(awayChange(tunnel.name, lease));
        limitAway(tunnel.owner, lease);
      } else lease.drop();
    }
    tunnel.markClosed();
  }

  return {
    open,
    close,
    tell(tunnel, news) {
      if (tunnel.closed) return;
      Object.assign(tunnel, news);
      onChange({ kind: "news", tunnel });
    },
    find,
    forget(identityId) {
      for (const lease of [...leases.values()]) {
        if (lease.identityId !== identityId) continue;
        const { tunnel } = lease;
        if (tunnel) close(tunnel, "revoked");
        else lease.drop();
      }
    },
    snapshot: () =>
      [...leases].map(([name, lease]) =>
        lease.tunnel
          ? { kind: "open", tunnel: lease.tunnel }
          : awayChange(name, lease),
      ),
    get counts() {
      let open = 0;
      for (const lease of leases.values()) if (lease.tunnel) open++;
      return { open, away: leases.size - open };
    },
    dispose() {
      disposed = true;
      for (const lease of [...leases.values()]) {
        const { tunnel } = lease;
        lease.drop();
        tunnel?.markClosed();
      }
    },
  };
}

const awayChange = (name: string, { identityId }: Lease): RouteChange => ({
  kind: "away",
  name,
  identity: identityId,
});
