// Divides a tunnel among its visitors: however much one of them, or many, hold on to, the others get through.

/** How much is lost when a request is ended, from nothing on. */
export type EvictionLoss =
  /** Nothing has been answered: its visitor is told to come back. */
  | 0
  /** The answer has begun, and has not moved for a while. */
  | 1
  /** The answer moves. */
  | 2
  /** It has had its connection for too short a time to be ended at all. */
  | undefined;

/** A request that wants a connection. */
export interface Sharer {
  /** A connection may be taken now, and counts as taken. */
  onShare(): void;
  /** How much is lost when it is ended for a visitor who has none. */
  readonly evictionLoss: EvictionLoss;
  /** Whether its visitor has read nothing for a while of what waits there to be read. */
  readonly stalled: boolean;
  /** It is ended, and gives its share back. */
  evict(): void;
}

/** What a visitor has of a tunnel. */
export interface Share {
  readonly key: string;
  /** Requests in flight. */
  requests: number;
  /**
   * Those of them that may use a connection, the one that has had it for the longest time first. No set, for the reason
   * that engine.ts gives.
   */
  readonly taken: Sharer[];
  /** Those that wait, first come, first served; a Set, because they leave from anywhere. */
  readonly waiting: Set<Sharer>;
}

/**
 * Who has how much of one tunnel. A visitor may have as much as is left for all others, so alone a half, and each of n
 * who all want more ends up with one part of n + 1 (Choudhury and Hahne, "Dynamic queue length thresholds for shared-
 * memory packet switches", 1998): there is room for whoever comes next. That takes requests that end. Where they do not,
 * because slow uploads or streams hold everything, a visitor who has nothing gets a connection of the one who has most:
 * the one whose end loses least, and of those the one that was had for the longest time.
 *
 * So nobody loses anything while a connection is free, nor for a visitor who has one already; and a visitor with a single
 * request does only who does not read the answer: thousands of addresses that read nothing, each with one request, would
 * otherwise hold everything. What such a one had goes to the visitor for whom it was ended, not to those who wait already,
 * since they are most likely its like. WebSockets have connections of their own and no part in this.
 */
export class Shares {
  readonly #maxRequests: number;
  readonly #maxTaken: number;
  readonly #shares = new Map<string, Share>();
  /** Those of them with somebody waiting; who was served last is last. */
  readonly #queue = new Set<Share>();
  #requests = 0;
  #taken = 0;
  #admitting = false;
  /** For whom a stalled one is being ended. */
  #next: Share | undefined;
  #closed = false;

  /**
   * @param maxRequests requests in flight, all visitors together
   * @param maxTaken connections in use, all visitors together
   */
  constructor(maxRequests: number, maxTaken: number) {
    this.#maxRequests = maxRequests;
    this.#maxTaken = maxTaken;
  }

  /** Visitors that are in the books. */
  get size(): number {
    return this.#shares.size;
  }

  /**
   * Counts a request.
   *
   * @param key whose it is, as visitor-key.ts has it
   * @returns what its visitor has; `leave` wants it back
   */
  enter(key: string): Share {
    let share = this.#shares.get(key);
    if (!share) {
      share = { key, requests: 0, taken: [], waiting: new Set() };
      this.#shares.set(key, share);
    }
    share.requests++;
    this.#requests++;
    return share;
  }

  /** Whether the request that has just entered is one too many for its visitor. The only one of a visitor never is. */
  exceeded(share: Share): boolean {
    return (
      share.requests > 1 &&
      share.requests > this.#maxRequests - this.#requests + 1
    );
  }

  /** A request is over. It has given back its connection, and waits for none. */
  leave(share: Share): void {
    share.requests--;
    this.#requests--;
    if (share.requests === 0) this.#shares.delete(share.key);
  }

  /** Takes a connection for a request that has entered. `sharer` hears when it may be used: at once, or later. */
  take(share: Share, sharer: Sharer): void {
    if (this.#closed || this.#mayTake(share)) return this.#give(share, sharer);
    share.waiting.add(sharer);
    this.#queue.add(share);
    if (share.taken.length === 0 && !this.#makeRoom()) this.#endStalled(share);
  }

  /** Gives the connection back, or waits no longer. Idempotent. */
  giveBack(share: Share, sharer: Sharer): void {
    const at = share.taken.indexOf(sharer);
    if (at >= 0) {
      share.taken.splice(at, 1);
      this.#taken--;
      if (this.#queue.size > 0) this.#admit();
    } else if (share.waiting.delete(sharer) && share.waiting.size === 0)
      this.#queue.delete(share);
  }

  /** Looks whether something can be done for visitors who have nothing. */
  sweep(): void {
    // The other stalled ones are left for visitors who are still to come, and then wait for nothing.
    let stalled = Math.ceil(this.#maxTaken / STALLED_PART);
    for (const share of this.#queue) {
      if (share.taken.length > 0 || this.#makeRoom()) continue;
      if (stalled-- === 0 || !this.#endStalled(share)) return;
    }
  }

  /** Nobody waits from now on: there is nothing left to divide. */
  close(): void {
    this.#closed = true;
    this.#admit();
  }

  #mayTake(share: Share): boolean {
    return share.taken.length < this.#maxTaken - this.#taken;
  }

  #give(share: Share, sharer: Sharer): void {
    share.taken.push(sharer);
    this.#taken++;
    sharer.onShare();
  }

  // Whoever is admitted may give back at once, which comes here again: the loop that runs already sees to it.
  #admit(): void {
    if (this.#admitting) return;
    this.#admitting = true;
    try {
      while (this.#admitOne());
    } finally {
      this.#admitting = false;
    }
  }

  #admitOne(): boolean {
    const next = this.#next;
    this.#next = undefined;
    if (next && this.#queue.has(next) && this.#admitFrom(next)) return true;
    for (const share of this.#queue) if (this.#admitFrom(share)) return true;
    return false;
  }

  #admitFrom(share: Share): boolean {
    if (!this.#closed && !this.#mayTake(share)) return false;
    const [sharer] = share.waiting;
    share.waiting.delete(sharer!);
    this.#queue.delete(share);
    if (share.waiting.size > 0) this.#queue.add(share);
    this.#give(share, sharer!);
    return true;
  }

  // What becomes free goes to a visitor who has nothing: nobody else may take the last one.
  #makeRoom(): boolean {
    let most = 1;
    let victim: Sharer | undefined;
    for (const { taken } of this.#shares.values()) {
      const candidate = taken.length > most ? leastLoss(taken) : undefined;
      if (!candidate) continue;
      most = taken.length;
      victim = candidate;
    }
    victim?.evict();
    return victim !== undefined;
  }

  // For a visitor who has nothing, when nobody has more than one.
  #endStalled(next: Share): boolean {
    for (const { taken } of this.#shares.values()) {
      const victim = taken.find(({ stalled }) => stalled);
      if (!victim) continue;
      this.#next = next;
      victim.evict();
      this.#next = undefined;
      return true;
    }
    return false;
  }
}

// How much of all that is stalled may be ended in one sweep, as a part of all connections.
const STALLED_PART = 32;

// The oldest of those whose end loses least; undefined when none may be ended.
function leastLoss(taken: readonly Sharer[]): Sharer | undefined {
  let least = Number.POSITIVE_INFINITY;
  let found: Sharer | undefined;
  for (const sharer of taken) {
    const loss = sharer.evictionLoss;
    if (loss === undefined || loss >= least) continue;
    least = loss;
    found = sharer;
    if (loss === 0) break;
  }
  return found;
}
