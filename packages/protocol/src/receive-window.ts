// Sizes the receive window of one SSH channel by what arrives on it: large enough for its share of the line's bandwidth times
// the round trip, and no larger, because what a sender may send it does send, and everything else waits behind it.
// Decides only; ssh-flow.ts does it. Times in milliseconds, rates in bytes per millisecond.
import { createRateFilter, type PathMeter } from "./path-meter.ts";

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
export function createReceiveWindow(
  announced: number,
  path: Pick<PathMeter, "roundTripMs" | "isProbing" | "refresh">,
  budget: WindowBudget,
  now: () => number,
): ReceiveWindow {
  const rate = createRateFilter();
  // What the peer may still send.
  let open = announced;
  let target = START_WINDOW_BYTES;
  let held = 0;
  let roundAt: number | undefined;
  let roundBytes = 0;

  const goal = (): number => (path.isProbing ? PROBE_GAIN * target : target);

  function measure(): void {
    const at = now();
    const roundTrip = path.roundTripMs;
    if (roundTrip === undefined || roundAt === undefined) {
      roundAt = at;
      roundBytes = 0;
      return;
    }
    const elapsed = at - roundAt;
    if (elapsed < Math.max(roundTrip, MIN_ROUND_MS)) return;
    const measured = roundBytes / elapsed;
    if (elapsed > FORGET_MS + roundTrip && measured < FORGET_PART * rate.best) {
      rate.forget();
      target = START_WINDOW_BYTES;
    } else {
      path.refresh();
      rate.add(measured);
      rate.endRound(true);
      const onTheLine = rate.best * roundTrip;
      const gain = rate.isSteady ? STEADY_GAIN : SEARCH_GAIN;
      target = Math.min(
        MAX_WINDOW_BYTES,
        gain * onTheLine + Math.max(MIN_QUEUE_BYTES, QUEUE_MS * rate.best),
      );
      if (!rate.isSteady) target = Math.max(START_WINDOW_BYTES, target);
    }
    roundAt = at;
    roundBytes = 0;
  }

  // What was granted cannot be taken back, so it is paid for until it has been used.
  function pay(unread: number): void {
    const over = Math.max(target, open + unread) - START_WINDOW_BYTES;
    const due = Math.max(0, Math.ceil(over)) - held;
    if (due <= 0) {
      budget.giveBack(-due);
      held += due;
      return;
    }
    const given = budget.take(due);
    held += given;
    target = Math.min(target, START_WINDOW_BYTES + held);
  }

  return {
    arrived(bytes) {
      if (bytes > open) return false;
      open -= bytes;
      roundBytes += bytes;
      return true;
    },
    grant(unread) {
      const part = target > START_WINDOW_BYTES ? BUSY_PART : LAZY_PART;
      const least = Math.min(MAX_GRANT_BYTES, part * target);
      if (target - open - unread < least) return 0;
      measure();
      pay(unread);
      const amount = Math.floor(goal() - open - unread);
      if (amount < Math.min(least, part * target)) return 0;
      open += amount;
      return amount;
    },
    close() {
      budget.giveBack(held);
      held = 0;
    },
  };
}
