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
  /**
   * Since when its visitor has read nothing of what waits there to be read, by one clock for all; undefined when that is
   * not long.
   */
  readonly stalledSince: number | undefined;
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
 * So nobody who reads loses anything while a connection is free, nor for a visitor who has one already, nor the only one
 * that it has. Who reads nothing does: thousands of addresses that do so, each with one request, would otherwise hold
 * everything, and with it megabytes of the system's memory for each, at both ends, until the connection under the tunnel
 * gets none. So few of them are left once somebody waits whom they keep out, and what they had is kept for visitors who
 * come new, and then wait for nothing. Those who wait already are most likely their like, and get it little by little.
 * WebSockets have connections of their own and no part in this.
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
  /** Connections that nobody gets who waits already. */
  #kept = 0;
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
    if (this.#closed || (this.#mayTake(share) && !this.#mustWait(share)))
      return this.#give(share, sharer);
    share.waiting.add(sharer);
    this.#queue.add(share);
    if (share.taken.length === 0 && this.#full && !this.#makeRoom())
      this.#endStalledFor(share);
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

  /** Looks whether something can be done for visitors who wait, and for those who may come. To be called every second. */
  sweep(): void {
    if (this.#queue.size === 0) {
      this.#kept = 0;
      return;
    }
    let hasNone = false;
    for (const share of this.#queue) {
      if (share.taken.length > 0 || (this.#full && this.#makeRoom())) continue;
      hasNone = true;
      break;
    }
    const ended = this.#endStalled(hasNone);
    // Where those who read nothing are still being found, whoever is let in now is most likely one of them.
    const part = ended > 0 ? LET_IN_PART : STALLED_PART;
    this.#kept = Math.max(0, this.#kept - Math.ceil(this.#maxTaken / part));
    this.#admit();
  }

  /** Nobody waits from now on: there is nothing left to divide. */
  close(): void {
    this.#closed = true;
    this.#admit();
  }

  get #full(): boolean {
    return this.#taken >= this.#maxTaken;
  }

  /** Whether those that are left are for visitors who come new. */
  get #onlyKept(): boolean {
    return this.#taken >= this.#maxTaken - this.#kept;
  }

  // Of what is kept those get nothing who wait already, nor those for whose like it is kept.
  #mustWait(share: Share): boolean {
    return (
      this.#onlyKept && (share.waiting.size > 0 || share.taken.some(isStalled))
    );
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
    if (this.#onlyKept && !this.#closed) return false;
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
    if (!victim) return false;
    // It is ended for those who wait.
    const kept = this.#kept;
    this.#kept = 0;
    victim.evict();
    this.#kept = kept;
    return true;
  }

  // For a visitor who has nothing, when nobody has more than one.
  #endStalledFor(next: Share): void {
    let victim: Sharer | undefined;
    for (const { taken } of this.#shares.values())
      for (const sharer of taken)
        if (isStalled(sharer) && (!victim || byAge(sharer, victim) < 0))
          victim = sharer;
    this.#next = next;
    victim?.evict();
    this.#next = undefined;
  }

  // No more than there are requests that wait. Leaves a few, and those who keep nobody out. Returns how many were ended.
  #endStalled(forOthers: boolean): number {
    let stalled = 0;
    const victims: Sharer[] = [];
    for (const { taken, waiting } of this.#shares.values())
      for (const sharer of taken) {
        if (!isStalled(sharer)) continue;
        stalled++;
        // Whoever waits for more has them in its own way.
        if (forOthers || waiting.size > 0) victims.push(sharer);
      }
    const count = Math.min(
      this.#requests - this.#taken,
      stalled - Math.floor(this.#maxTaken / STALLED_PART),
      Math.ceil(this.#maxTaken / END_PART),
    );
    if (count <= 0) return 0;
    const ended = victims.toSorted(byAge).slice(0, count);
    const most = this.#maxTaken - Math.ceil(this.#maxTaken / OPEN_PART);
    for (const sharer of ended) {
      this.#kept = Math.min(this.#kept + 1, most);
      sharer.evict();
    }
    return ended.length;
  }
}

// How many of all connections may stay with visitors who read nothing while others wait, as a part of all; and how many
// those who wait get in a second of what they had.
const STALLED_PART = 32;
// The latter while there are more who read nothing.
const LET_IN_PART = 256;
// How many are never kept from those who wait, who may all be good visitors behind one address.
const OPEN_PART = 8;
// How many may be ended in one sweep, so that requests in between do not notice.
const END_PART = 4;

const isStalled = ({ stalledSince }: Sharer): boolean =>
  stalledSince !== undefined;

// For stalled ones.
const byAge = (a: Sharer, b: Sharer): number =>
  a.stalledSince! - b.stalledSince!;

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
