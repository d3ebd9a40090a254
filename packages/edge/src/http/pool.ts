// The connections of one tunnel to its upstream. Connections that served lately are used first, ones that nobody has
// used are kept in reserve, and nobody waits for ever. Nothing here has a timer: the edge's sweep calls `sweep`.
import { EdgeError } from "../errors.ts";
import type {
  Forward,
  ForwardedConnection,
  Visitor,
} from "../ingress/forward.ts";
import type { HttpLimits } from "./limits.ts";
import { UpstreamConnection } from "./upstream-connection.ts";

/** Somebody who waits for a connection. */
export interface PoolWaiter {
  /** A connection is there, and it is theirs: to be given back, or destroyed. */
  onConnection(connection: UpstreamConnection): void;
  /** None could be opened. */
  onNoConnection(reason: NoConnection): void;
}

/** Why there is no connection. */
export type NoConnection =
  /** The tunnel failed. */
  | "failed"
  /** The tunnel works, and its client cannot reach the local service. */
  | "down"
  /** The pool has closed. Another one may serve. */
  | "closed";

/** What a request may be served by. */
export type Freshness =
  /** Any connection. */
  | "any"
  /** One that is new or served a moment ago, where there is one: the request cannot be repeated. */
  | "lively"
  /** Only one that is opened for it: an older one has failed it. */
  | "new";

/** How the pool behaves; the limits are those of the tunnel. */
export interface PoolOptions {
  readonly forward: Forward;
  readonly limits: HttpLimits;
  /** How long a connection may wait for its next request, milliseconds. */
  readonly idleMs: number;
  readonly onBug: (error: unknown) => void;
}

// A server that closes idle connections may be doing so right now. One that served within this time is most likely not.
const LIVELY_MS = 1_000;
// What the server says of its own patience, less the time that a request may take to get there.
const HINT_MARGIN_MS = 2_000;

// Pooled connections serve many visitors, so none of them can be named to the client as the originator.
const POOLED: Visitor = { address: "127.0.0.1", port: 0 };

/** The pool of one tunnel. */
export class Pool {
  readonly #options: PoolOptions;
  /** Waiting for their next request, the one that waited least last. */
  readonly #idle: UpstreamConnection[] = [];
  /** Never used. */
  readonly #spares: UpstreamConnection[] = [];
  readonly #open = new Set<UpstreamConnection>();
  /** First come, first served; a Set, because waiters leave from anywhere. */
  readonly #waiters = new Set<PoolWaiter>();
  readonly #waitersForNew = new Set<PoolWaiter>();
  readonly #waitingForDedicated: (() => void)[] = [];
  #connecting = 0;
  #dedicatedConnecting = 0;
  #spareTarget = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Connections that are open, whether in use or not. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether as many are open as may be. */
  get full(): boolean {
    return (
      this.#open.size + this.#connecting >=
      this.#options.limits.connectionsPerTunnel
    );
  }

  /**
   * Opens `count` connections in advance and keeps as many ready from now on, so that a request costs no round trip
   * for opening one. Only for clients that dial the upstream when the first byte arrives: with others, each of them is
   * an idle connection to the upstream, and a single-threaded server would hang on it.
   */
  keepSpares(count: number): void {
    this.#spareTarget = count;
    this.#connectMore();
  }

  /**
   * Takes a connection that is there.
   *
   * @param now by the engine's clock
   * @returns undefined when there is none for now: the waiter is told later, unless it cancels
   */
  take(
    waiter: PoolWaiter,
    freshness: Freshness,
    now: number,
  ): UpstreamConnection | undefined {
    if (this.#closed) {
      waiter.onNoConnection("closed");
      return undefined;
    }
    if (freshness !== "new") {
      const idle = this.#takeIdle(freshness, now);
      if (idle) return idle;
      const spare = this.#takeSpare();
      if (spare) return spare;
      const anyway = this.full ? this.#takeIdle("any", now) : undefined;
      if (anyway) return anyway;
    }
    (freshness === "new" ? this.#waitersForNew : this.#waiters).add(waiter);
    if (freshness === "new" && this.full) this.#dropOne();
    this.#connectMore();
    return undefined;
  }

  /** Leaves the queue. */
  cancel(waiter: PoolWaiter): void {
    this.#waiters.delete(waiter);
    this.#waitersForNew.delete(waiter);
  }

  /**
   * Gives back a connection that served its request whole.
   *
   * @param keepAliveTimeoutS what the upstream said of its patience, if it did
   * @param answeredAt when the answer's head came, by the engine's clock. The upstream's patience may be running since
   *   then: buffers on the way can hold all of an answer that a slow line or a slow visitor takes seconds to read
   * @param now by the engine's clock
   */
  giveBack(
    connection: UpstreamConnection,
    keepAliveTimeoutS: number | undefined,
    answeredAt: number,
    now: number,
  ): void {
    connection.release();
    const age = now - answeredAt;
    const limit =
      keepAliveTimeoutS === undefined
        ? this.#options.idleMs
        : Math.min(
            keepAliveTimeoutS * 1_000 - HINT_MARGIN_MS,
            this.#options.idleMs,
          );
    if (this.#closed || !connection.usable || limit <= 0 || age > limit)
      return connection.destroy();
    if (this.#waitersForNew.size > 0 && this.full) return connection.destroy();
    const waiter = first(this.#waiters);
    if (waiter) {
      // It may not be able to repeat its request. One that is opened for it comes in the place of this one.
      if (age > LIVELY_MS) return connection.destroy();
      this.#waiters.delete(waiter);
      return waiter.onConnection(connection);
    }
    connection.idleSince = answeredAt;
    connection.idleLimitMs = limit;
    let at = this.#idle.length;
    while (at > 0 && this.#idle[at - 1]!.idleSince > answeredAt) at--;
    this.#idle.splice(at, 0, connection);
  }

  /**
   * Opens a connection that is never pooled. It counts among those being opened, not among the pool's own.
   *
   * @throws EdgeError `forward-failed`
   */
  async openDedicated(visitor: Visitor): Promise<ForwardedConnection> {
    if (this.#connectingAtLimit)
      // Whoever resolves it has counted it in.
      await new Promise<void>((resolve) =>
        this.#waitingForDedicated.push(resolve),
      );
    else this.#dedicatedConnecting++;
    try {
      if (this.#closed)
        throw new EdgeError("forward-failed", "The tunnel has closed.");
      return await this.#options.forward.connect(visitor);
    } finally {
      this.#dedicatedConnecting--;
      this.#connectMore();
    }
  }

  /** Closes connections that have waited too long. @param now by the engine's clock */
  sweep(now: number): void {
    let kept = 0;
    for (const connection of this.#idle)
      if (now - connection.idleSince > connection.idleLimitMs)
        connection.destroy();
      else this.#idle[kept++] = connection;
    this.#idle.length = kept;
  }

  /** Ends all connections at once, those in use too, and sends the waiters away. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const waiters = [...this.#waitersForNew, ...this.#waiters];
    this.#waiters.clear();
    this.#waitersForNew.clear();
    for (const proceed of this.#waitingForDedicated.splice(0)) {
      this.#dedicatedConnecting++;
      proceed();
    }
    for (const connection of this.#open) connection.abandon();
    this.#idle.length = 0;
    this.#spares.length = 0;
    for (const waiter of waiters) waiter.onNoConnection("closed");
  }

  #takeIdle(
    freshness: "any" | "lively",
    now: number,
  ): UpstreamConnection | undefined {
    for (;;) {
      const connection = this.#idle.at(-1);
      if (!connection) return undefined;
      const age = now - connection.idleSince;
      const expired = age > connection.idleLimitMs || !connection.usable;
      // The others have waited longer still.
      if (!expired && freshness === "lively" && age > LIVELY_MS)
        return undefined;
      this.#idle.pop();
      if (!expired) return connection;
      connection.destroy();
    }
  }

  #takeSpare(): UpstreamConnection | undefined {
    let spare: UpstreamConnection | undefined;
    do spare = this.#spares.pop();
    while (spare && !spare.usable);
    if (spare) this.#connectMore();
    return spare;
  }

  #dropOne(): void {
    (this.#idle.shift() ?? this.#spares.shift())?.destroy();
  }

  get #connectingAtLimit(): boolean {
    return (
      this.#connecting + this.#dedicatedConnecting >=
      this.#options.limits.connectsPerTunnel
    );
  }

  // Opens as many as are waited for or short in reserve, within the limits.
  #connectMore(): void {
    while (!this.#closed && !this.#connectingAtLimit) {
      const dedicated = this.#waitingForDedicated.shift();
      if (dedicated) {
        this.#dedicatedConnecting++;
        dedicated();
        continue;
      }
      const wanted =
        this.#waitersForNew.size +
        this.#waiters.size +
        Math.max(0, this.#spareTarget - this.#spares.length);
      if (this.#connecting >= wanted || this.full) return;
      this.#connect();
    }
  }

  #connect(): void {
    this.#connecting++;
    this.#options.forward
      .connect(POOLED)
      .then(
        (connection) => {
          this.#connecting--;
          this.#connected(connection);
          this.#connectMore();
        },
        (error: unknown) => {
          this.#connecting--;
          // One attempt, one answer. Without anybody waiting it was a spare's, and the next request asks again: trying on
          // here would not end while the client refuses.
          const waiter = first(this.#waitersForNew) ?? first(this.#waiters);
          if (!waiter) return;
          this.cancel(waiter);
          waiter.onNoConnection(explainNoConnection(error));
          if (this.#waitersForNew.size + this.#waiters.size > 0)
            this.#connectMore();
        },
      )
      .catch(this.#options.onBug);
  }

  #connected(forwarded: ForwardedConnection): void {
    const connection = new UpstreamConnection(
      forwarded,
      this.#options.limits,
      (gone) => this.#gone(gone),
      this.#options.onBug,
    );
    this.#open.add(connection);
    if (this.#closed || !connection.usable) return connection.destroy();
    const waiter = first(this.#waitersForNew) ?? first(this.#waiters);
    if (waiter) {
      this.cancel(waiter);
      waiter.onConnection(connection);
    } else if (this.#spares.length < this.#spareTarget) {
      connection.spare = true;
      this.#spares.push(connection);
    } else connection.destroy();
  }

  #gone(connection: UpstreamConnection): void {
    this.#open.delete(connection);
    remove(this.#idle, connection);
    remove(this.#spares, connection);
    // A spare that closes by itself is not replaced before the next request, or a client that keeps closing them would
    // be asked for ever.
    if (this.#waitersForNew.size + this.#waiters.size > 0) this.#connectMore();
  }
}

/** Tells from the error of a connect() which side failed. */
export const explainNoConnection = (error: unknown): NoConnection =>
  error instanceof EdgeError && error.upstreamDown ? "down" : "failed";

function first<T>(set: Set<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
