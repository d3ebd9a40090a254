// How much of what passes is kept: a thousand uploads at once must not each keep a megabyte, and a service that sends
// 300 MB a second must not have all of it copied, kept and written to disk.

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
}

/** @param now milliseconds of a clock that never goes back */
export function createKeptBytes(
  { maxBytes, perSecond, burst }: KeptBytesOptions,
  now: () => number = () => performance.now(),
): KeptBytes {
  let held = 0;
  let tokens = burst;
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
    if (tokens < bytes) {
      const time = now();
      tokens = Math.min(burst, tokens + ((time - last) * perSecond) / 1_000);
      last = time;
    }
    const spent = Math.min(bytes, Math.floor(tokens));
    tokens -= spent;
    return spent;
  }
}
