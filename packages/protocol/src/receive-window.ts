// Sizes the receive window of one SSH channel by what arrives on it: large enough for its share of the line's bandwidth times
// the round trip, and no larger, because what a sender may send it does send, and everything else waits behind it.
// Decides only; ssh-flow.ts does it. Times in milliseconds, rates in bytes per millisecond.
import {
  createRateFilter,
  type PathMeter,
  type RateFilter,
} from "./path-meter.ts";

/** What every channel starts with. */
export const START_WINDOW_BYTES = 1024 ** 2;

const MAX_WINDOW_BYTES = 16 * 1024 ** 2;
// While the rate still grows: a grant is felt a round trip after the rate was measured that it rests on, and that took one.
const SEARCH_GAIN = 4;
const STEADY_GAIN = 1.25;
const PROBE_GAIN = 0.6;
const MIN_QUEUE_BYTES = 128 * 1024;
const QUEUE_MS = 10;
// Each grant costs a packet; seldom while little comes, often when the sender would otherwise wait for it.
const LAZY_PART = 1 / 4;
const BUSY_PART = 1 / 8;
const MAX_GRANT_BYTES = 512 * 1024;
// Shorter than this no rate is measured.
const MIN_ROUND_MS = 4;
// A round that took so long and brought so little of the rate had a pause in it: what was measured before says nothing.
const FORGET_MS = 1_000;
const FORGET_PART = 1 / 4;

/** Bytes beyond the start that windows may grow to, shared by all who hold it. */
export interface WindowBudget {
  /** @returns how many of `bytes` are given */
  take(bytes: number): number;
  giveBack(bytes: number): void;
}

/** @param within what this one takes it takes there as well */
export function createWindowBudget(
  bytes: number,
  within?: WindowBudget,
): WindowBudget {
  let left = bytes;
  return {
    take(wanted) {
      const mine = Math.min(wanted, left);
      const given = within ? within.take(mine) : mine;
      left -= given;
      return given;
    },
    giveBack(given) {
      left += given;
      within?.giveBack(given);
    },
  };
}

/** The window of one channel. */
export interface ReceiveWindow {
  /** Takes note of data. @returns false when it was more than the peer may send (RFC 4254 section 5.2) */
  arrived(bytes: number): boolean;
  /**
   * How many bytes to grant now, 0 for none. They count as granted.
   * @param unread bytes that arrived and wait for their reader
   */
  grant(unread: number): number;
  /** Gives back what it took from the budget. */
  close(): void;
}

/** @param announced what the peer was told when the channel was opened */
export const createReceiveWindow = (
  announced: number,
  path: Pick<PathMeter, "roundTripMs" | "isProbing" | "refresh">,
  budget: WindowBudget,
  now: () => number,
): ReceiveWindow => new MeasuredWindow(announced, path, budget, now);

class MeasuredWindow implements ReceiveWindow {
  readonly #path: Pick<PathMeter, "roundTripMs" | "isProbing" | "refresh">;
  readonly #budget: WindowBudget;
  readonly #now: () => number;
  /** Not before there is something to measure: most channels never get that far. */
  #rate: RateFilter | undefined;
  /** What the peer may still send. */
  #open: number;
  #target = START_WINDOW_BYTES;
  #held = 0;
  #roundAt: number | undefined;
  #roundBytes = 0;

  constructor(
    announced: number,
    path: Pick<PathMeter, "roundTripMs" | "isProbing" | "refresh">,
    budget: WindowBudget,
    now: () => number,
  ) {
    this.#open = announced;
    this.#path = path;
    this.#budget = budget;
    this.#now = now;
  }

  arrived(bytes: number): boolean {
    if (bytes > this.#open) return false;
    this.#open -= bytes;
    this.#roundBytes += bytes;
    return true;
  }

  grant(unread: number): number {
    const part = this.#target > START_WINDOW_BYTES ? BUSY_PART : LAZY_PART;
    const least = Math.min(MAX_GRANT_BYTES, part * this.#target);
    if (this.#target - this.#open - unread < least) return 0;
    this.#measure();
    this.#pay(unread);
    const amount = Math.floor(this.#goal() - this.#open - unread);
    if (amount < Math.min(least, part * this.#target)) return 0;
    this.#open += amount;
    return amount;
  }

  close(): void {
    this.#budget.giveBack(this.#held);
    this.#held = 0;
  }

  #goal(): number {
    return this.#path.isProbing ? PROBE_GAIN * this.#target : this.#target;
  }

  #measure(): void {
    const at = this.#now();
    const roundTrip = this.#path.roundTripMs;
    if (roundTrip === undefined || this.#roundAt === undefined) {
      this.#roundAt = at;
      this.#roundBytes = 0;
      return;
    }
    const elapsed = at - this.#roundAt;
    if (elapsed < Math.max(roundTrip, MIN_ROUND_MS)) return;
    const rate = (this.#rate ??= createRateFilter());
    const measured = this.#roundBytes / elapsed;
    if (elapsed > FORGET_MS + roundTrip && measured < FORGET_PART * rate.best) {
      rate.forget();
      this.#target = START_WINDOW_BYTES;
    } else {
      this.#path.refresh();
      rate.add(measured);
      rate.endRound(true);
      const onTheLine = rate.best * roundTrip;
      const gain = rate.isSteady ? STEADY_GAIN : SEARCH_GAIN;
      this.#target = Math.min(
        MAX_WINDOW_BYTES,
        gain * onTheLine + Math.max(MIN_QUEUE_BYTES, QUEUE_MS * rate.best),
      );
      if (!rate.isSteady)
        this.#target = Math.max(START_WINDOW_BYTES, this.#target);
    }
    this.#roundAt = at;
    this.#roundBytes = 0;
  }

  // What was granted cannot be taken back, so it is paid for until it has been used.
  #pay(unread: number): void {
    const over =
      Math.max(this.#target, this.#open + unread) - START_WINDOW_BYTES;
    const due = Math.max(0, Math.ceil(over)) - this.#held;
    if (due <= 0) {
      this.#budget.giveBack(-due);
      this.#held += due;
      return;
    }
    const given = this.#budget.take(due);
    this.#held += given;
    this.#target = Math.min(this.#target, START_WINDOW_BYTES + this.#held);
  }
}
