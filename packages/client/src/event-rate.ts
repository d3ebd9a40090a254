// Bounds how many events a second are passed on, and counts those that are not.

/** See the file's head. */
export interface EventRate {
  /**
   * Asks for one event.
   * @param before events that were left out before this one, by others
   * @returns how many were left out since the last event that passed; undefined when this one is left out too
   */
  leftOut(before: number): number | undefined;
}

const SECOND_MS = 1_000;

/** @param now monotonic, milliseconds; for tests */
export function createEventRate(
  perSecond: number,
  now: () => number = () => performance.now(),
): EventRate {
  let windowStart = -Infinity;
  let passed = 0;
  let left = 0;
  return {
    leftOut(before) {
      const time = now();
      if (time - windowStart >= SECOND_MS) {
        windowStart = time;
        passed = 0;
      }
      left += before;
      if (passed >= perSecond) {
        left++;
        return undefined;
      }
      passed++;
      const result = left;
      left = 0;
      return result;
    },
  };
}
