// The primary's side of the routes: the one table, where the workers' sessions claim names as its own sessions do, and
// from which every worker hears of every change before the client hears of its URL.
import type { UsersStore } from "../registry/users-store.ts";
import { EdgeError } from "../errors.ts";
import type { Forward, ForwardedConnection } from "../ingress/forward.ts";
import { ControlRefusal } from "../refusal.ts";
import type { CloseCause, TunnelNews } from "../routes/live-tunnel.ts";
import type { LiveTunnel, TunnelOwner } from "../routes/live-tunnel.ts";
import type { RouteChange, RouteTable, TunnelBook } from "../routes/table.ts";
import { Closable } from "../util/closable.ts";
import type { Claim, ClaimAnswer, WireRoute } from "./messages.ts";

/** What the routes need. */
export interface PublishedRoutesOptions {
  /** Builds the table. */
  readonly createTable: (onChange: (change: RouteChange) => void) => RouteTable;
  readonly users: Pick<UsersStore, "findById">;
  /** Tells every worker. @returns when each of them knows */
  readonly publish: (route: WireRoute) => Promise<void>;
  /** Tells a worker that a tunnel of one of its sessions was taken over. */
  readonly superseded: (worker: number, tunnel: number) => void;
}

/** See the file's head. */
export interface PublishedRoutes {
  readonly table: RouteTable;
  /** For sessions of the primary: a tunnel is open when every worker knows it. */
  readonly book: TunnelBook;
  /** Every worker keeps connections through this tunnel ready. */
  warm(tunnel: LiveTunnel): void;
  /** What a new worker has to know. */
  snapshot(): WireRoute[];
  /** A worker's session wants a tunnel. @throws ControlRefusal */
  claim(worker: number, claim: Claim): Promise<ClaimAnswer>;
  /** What else workers say of their sessions' tunnels. What is no tunnel of theirs (any more) is ignored. */
  close(worker: number, tunnel: number, cause: CloseCause): void;
  tell(worker: number, tunnel: number, news: Partial<TunnelNews>): void;
  warmed(worker: number, tunnel: number): void;
  /** Which worker has the session of an open tunnel. @returns 0 for the primary, undefined for no such tunnel */
  workerOf(tunnel: number): number | undefined;
  /** A worker has died, and all its sessions with it. */
  workerGone(worker: number): void;
}

/** Builds the routes. */
export function createPublishedRoutes(
  options: PublishedRoutesOptions,
): PublishedRoutes {
  const numbers = new WeakMap<LiveTunnel, number>();
  const open = new Map<number, LiveTunnel>();
  const warm = new WeakSet<LiveTunnel>();
  /** Forwards of open tunnels, by worker. */
  const forwards = new Map<number, Set<WorkerForward>>();
  /** Sessions with open tunnels, by worker and its number of them. */
  const owners = new Map<string, { owner: TunnelOwner; tunnels: number }>();
  let last = 0;
  let published: Promise<void> = Promise.resolve();

  const table = options.createTable((change) => {
    if (change.kind === "open") enter(change.tunnel);
    published = options.publish(toWire(change));
  });

  function enter(tunnel: LiveTunnel): void {
    const id = ++last;
    numbers.set(tunnel, id);
    open.set(id, tunnel);
    tunnel.onceClosed(() => open.delete(id));
  }

  function toWire(change: RouteChange): WireRoute {
    if (change.kind === "away" || change.kind === "free") return change;
    const { tunnel } = change;
    const { upstreamDown, watched, forward } = tunnel;
    const id = numbers.get(tunnel)!;
    const news: TunnelNews = { upstreamDown, watched };
    if (change.kind === "news") return { kind: "news", tunnel: id, ...news };
    return {
      kind: "open",
      tunnel: {
        id,
        name: tunnel.name,
        hostname: tunnel.hostname,
        url: tunnel.url,
        identity: tunnel.identityId,
        hostHeader: tunnel.hostHeader,
        upstream: tunnel.upstream,
        news,
        warm: warm.has(tunnel),
        via:
          forward instanceof WorkerForward
            ? {
                kind: "worker",
                worker: forward.worker,
                forward: forward.number,
                port: forward.port,
              }
            : { kind: "direct", route: forward.direct! },
      },
    };
  }

  function ownTunnel(worker: number, id: number): LiveTunnel | undefined {
    const tunnel = open.get(id);
    const { forward } = tunnel ?? {};
    return forward instanceof WorkerForward && forward.worker === worker
      ? tunnel
      : undefined;
  }

  async function claim(worker: number, claimed: Claim): Promise<ClaimAnswer> {
    const identity = options.users.findById(claimed.identity);
    if (!identity)
      throw new ControlRefusal("revoked", "The key of this session is gone.");
    const key = `${worker} ${claimed.owner}`;
    const entry = owners.get(key) ?? {
      tunnels: 0,
      owner: {
        identity,
        superseded: (tunnel) =>
          options.superseded(worker, numbers.get(tunnel)!),
        // Only when its worker is gone.
        lost() {},
      },
    };
    const forward = new WorkerForward(worker, claimed.forward, claimed.port);
    const { name, resume, hostHeader, upstream } = claimed;
    const opened = table.open(
      // What it may do can have changed since its first tunnel; who it is cannot.
      Object.assign(entry.owner, { identity }),
      { name, resume, forward, hostHeader, upstream },
    );
    owners.set(key, entry);
    entry.tunnels++;
    const siblings = forwards.get(worker) ?? new Set();
    forwards.set(worker, siblings.add(forward));
    opened.tunnel.onceClosed(() => {
      siblings.delete(forward);
      if (--entry.tunnels === 0) owners.delete(key);
    });
    await published;
    return { tunnel: numbers.get(opened.tunnel)!, resume: opened.resume };
  }

  function makeWarm(tunnel: LiveTunnel): void {
    if (tunnel.closed) return;
    warm.add(tunnel);
    void options.publish({ kind: "warm", tunnel: numbers.get(tunnel)! });
  }

  return {
    table,
    book: {
      async open(owner, request) {
        const opened = table.open(owner, request);
        await published;
        return opened;
      },
      close: table.close,
      tell: table.tell,
    },
    warm: makeWarm,
    snapshot: () => table.snapshot().map(toWire),
    claim,
    close(worker, id, cause) {
      const tunnel = ownTunnel(worker, id);
      if (tunnel) table.close(tunnel, cause);
    },
    tell(worker, id, news) {
      const tunnel = ownTunnel(worker, id);
      if (tunnel) table.tell(tunnel, news);
    },
    warmed(worker, id) {
      const tunnel = ownTunnel(worker, id);
      if (tunnel) makeWarm(tunnel);
    },
    workerOf(id) {
      const tunnel = open.get(id);
      if (!tunnel) return undefined;
      const { forward } = tunnel;
      return forward instanceof WorkerForward ? forward.worker : 0;
    },
    workerGone(worker) {
      for (const forward of forwards.get(worker) ?? []) forward.markClosed();
      forwards.delete(worker);
    },
  };
}

/** A forward whose session a worker holds, until that is gone. The primary takes no visitors, so it never connects. */
class WorkerForward extends Closable implements Forward {
  readonly worker: number;
  readonly number: number;
  readonly port: number;

  constructor(worker: number, number: number, port: number) {
    super();
    this.worker = worker;
    this.number = number;
    this.port = port;
  }

  connect(): Promise<ForwardedConnection> {
    return Promise.reject(
      new EdgeError("forward-failed", "The forward is in another process."),
    );
  }
}
