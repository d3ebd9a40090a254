// The tap of a client: all its connections share one budget of exchanges a second and of memory.
import type { CaptureSink } from "../capture.ts";
import { createBlockPool } from "./block-pool.ts";
import { tapConnection, type ConnectionTap } from "./connection-tap.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import type { ConnectionInfo } from "./open-capture.ts";
import { createRateBudget } from "../rate-budget.ts";
import { createTraffic } from "./traffic.ts";

/** Settings of {@link createTap}; every one has a default. */
export interface TapOptions {
  /** Of each body. Default: 1 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Exchanges a second in the long run; more pass unseen. Default: 200. */
  readonly maxPerSecond?: number | undefined;
}

/** Opens a tap beside each connection. */
export type Tap = (info: ConnectionInfo) => ConnectionTap;

const MAX_BODY_BYTES = 1_024 * 1_024;
const MAX_MESSAGES = 1_000;
// Of all exchanges that are open at a time.
const MAX_OPEN_BYTES = 64 * 1_024 * 1_024;
// Of all bodies: copying, keeping and writing them costs three times what passing them on does.
const KEPT_PER_SECOND = 4 * 1_024 * 1_024;
const KEPT_PER_HEAVY_SECOND = 1_024 * 1_024;
const KEPT_BURST = 64 * 1_024 * 1_024;
const MAX_PER_SECOND = 200;
const BURST = 1_000;

/**
 * @param sink hears of each exchange
 * @param now milliseconds of a clock that never goes back, for what is allowed in a second
 */
export function createTap(
  sink: CaptureSink,
  options: TapOptions = {},
  now: () => number = () => performance.now(),
): Tap {
  const { maxBodyBytes = MAX_BODY_BYTES, maxPerSecond = MAX_PER_SECOND } =
    options;
  const traffic = createTraffic(now);
  const context = {
    sink,
    limits: { maxBodyBytes, maxMessages: MAX_MESSAGES },
    kept: createKeptBytes(
      {
        maxBytes: MAX_OPEN_BYTES,
        perSecond: KEPT_PER_SECOND,
        perHeavySecond: KEPT_PER_HEAVY_SECOND,
        burst: KEPT_BURST,
        traffic,
      },
      now,
    ),
    pool: createBlockPool(),
    traffic,
    budget: createRateBudget({ perSecond: maxPerSecond, burst: BURST }, now),
  };
  return (info) => tapConnection(info, context);
}
