// How many exchanges a second are captured whole. A tunnel may make 30,000 requests a second; nobody reads them all.
import { performance } from "node:perf_hooks";

/** Admits so many in the long run, and more at once after a quiet time. */
export interface RateBudget {
  /** @param cost how many of others it counts for. Default: 1 */
  admit(cost?: number): boolean;
  /** One more passes that does not ask. */
  pass(): void;
  /** Whether more were turned away or passed in the second before than anybody could want to look at. */
  readonly flooded: boolean;
}

// Above this, even finding the ends of messages is work that visitors would feel.
const FLOOD_PER_SECOND = 1_000;

/** @param now milliseconds of a clock that never goes back */
export function createRateBudget(
  options: { perSecond: number; burst: number },
  now: () => number = () => performance.now(),
): RateBudget {
  const { perSecond, burst } = options;
  let tokens = burst;
  let last = now();
  let secondBegan = last;
  let refused = 0;
  let flooded = false;

  function refuse(time: number): void {
    const elapsedMs = time - secondBegan;
    if (elapsedMs >= 1_000) {
      flooded = (refused * 1_000) / elapsedMs >= FLOOD_PER_SECOND;
      refused = 0;
      secondBegan = time;
    }
    refused++;
  }

  return {
    admit(cost = 1) {
      // While there is plenty, what comes back can wait.
      if (tokens < cost) {
        const time = now();
        tokens = Math.min(burst, tokens + ((time - last) * perSecond) / 1_000);
        last = time;
        if (tokens < cost) {
          refuse(time);
          return false;
        }
      }
      tokens -= cost;
      return true;
    },
    pass: () => refuse(now()),
    get flooded() {
      // Once it is over nobody may be turned away for long, which is when seconds are counted.
      return flooded && now() - secondBegan < 2_000;
    },
  };
}
