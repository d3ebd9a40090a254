// How much of what passes is kept: a thousand uploads at once must not each keep a megabyte, and a service that sends
// 300 MB a second must not have all of it copied, kept and written to disk.
import type { Traffic } from "./traffic.ts";

/** An account of bytes. */
export interface KeptBytes {
  /**
   * @param unmetered how many of them count against the room alone, whatever was kept in the last seconds
   * @returns how many of them may be kept
   */
  take(bytes: number, unmetered?: number): number;
  give(bytes: number): void;
  readonly held: number;
}

/** Settings of {@link createKeptBytes}. */
export interface KeptBytesOptions {
  /** Of all open exchanges together. */
  readonly maxBytes: number;
  /** What may be taken in the long run, and at once after a quiet time. */
  readonly perSecond: number;
  readonly burst: number;
  /** What may be taken in the long run while traffic is heavy. Default: no less. */
  readonly perHeavySecond?: number | undefined;
  readonly traffic?: Pick<Traffic, "heavy"> | undefined;
}

// Once all is spent nothing is until as much is there as comes in this time: some bodies whole rather than a piece of each.
const RESUME_S = 0.25;

/** @param now milliseconds of a clock that never goes back */
export function createKeptBytes(
  options: KeptBytesOptions,
  now: () => number = () => performance.now(),
): KeptBytes {
  const { maxBytes, perSecond, burst, traffic } = options;
  const { perHeavySecond = perSecond } = options;
  let held = 0;
  let tokens = burst;
  let spent = false;
  let last = now();
  return {
    take(bytes, unmetered = 0) {
      const room = Math.max(0, Math.min(bytes, maxBytes - held));
      const free = Math.min(room, unmetered);
      const granted = free + spend(room - free);
      held += granted;
      return granted;
    },
    give(bytes) {
      held -= bytes;
    },
    get held() {
      return held;
    },
  };

  function spend(bytes: number): number {
    const time = now();
    const rate = traffic?.heavy ? perHeavySecond : perSecond;
    tokens = Math.min(burst, tokens + ((time - last) * rate) / 1_000);
    last = time;
    if (spent && tokens < Math.min(burst, perSecond * RESUME_S)) return 0;
    const granted = Math.min(bytes, Math.floor(tokens));
    tokens -= granted;
    spent = granted < bytes;
    return granted;
  }
}
