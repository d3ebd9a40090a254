// Whether so much passes that visitors would feel what looking on costs: then less is captured of it.
import { performance } from "node:perf_hooks";

/** Measures what passes all connections of a client. */
export interface Traffic {
  pass(bytes: number): void;
  /** More has passed for a while than a page and its parts are. */
  readonly heavy: boolean;
}

// What passes beyond so much a second piles up, and is heavy from a size on that takes no page.
const EASY_BYTES_PER_SECOND = 32 * 1_024 * 1_024;
const HEAVY_BYTES = 64 * 1_024 * 1_024;
// So that it is over two seconds after the last of it.
const MAX_BYTES = 96 * 1_024 * 1_024;
// Looking at the clock for each chunk would be felt as well.
const STEP_BYTES = 1_024 * 1_024;

/** @param now milliseconds of a clock that never goes back */
export function createTraffic(
  now: () => number = () => performance.now(),
): Traffic {
  let unmeasured = 0;
  let piled = 0;
  let last = now();

  function measure(): void {
    const time = now();
    const gone = ((time - last) * EASY_BYTES_PER_SECOND) / 1_000;
    piled = Math.min(MAX_BYTES, Math.max(0, piled + unmeasured - gone));
    unmeasured = 0;
    last = time;
  }

  return {
    pass(bytes) {
      unmeasured += bytes;
      if (unmeasured >= STEP_BYTES) measure();
    },
    get heavy() {
      // While it is not, nothing but what passes makes it so.
      if (piled < HEAVY_BYTES) return false;
      measure();
      return piled >= HEAVY_BYTES;
    },
  };
}
