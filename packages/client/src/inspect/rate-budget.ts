// How many exchanges a second are captured whole. A tunnel may make 30,000 requests a second; nobody reads them all.
import { performance } from "node:perf_hooks";

/** Admits so many in the long run, and more at once after a quiet time. */
export interface RateBudget {
  admit(): boolean;
}

/** @param now milliseconds of a clock that never goes back */
export function createRateBudget(
  options: { perSecond: number; burst: number },
  now: () => number = () => performance.now(),
): RateBudget {
  const { perSecond, burst } = options;
  let tokens = burst;
  let last = now();
  return {
    admit() {
      // While there is plenty, what comes back can wait.
      if (tokens < 1) {
        const time = now();
        tokens = Math.min(burst, tokens + ((time - last) * perSecond) / 1_000);
        last = time;
        if (tokens < 1) return false;
      }
      tokens--;
      return true;
    },
  };
}
