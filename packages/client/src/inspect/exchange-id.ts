// Ids of exchanges: ULIDs, which sort by the time they were made at and are unique without asking anybody.
import { randomFillSync } from "node:crypto";

// Crockford's base 32: no I, L, O and U.
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM_DIGITS = 16;

const pool = Buffer.alloc(1_024);
let poolAt = pool.length;
let lastTime = -1;
let timePart = "";
let random: number[] = [];

/**
 * @param now milliseconds since 1970
 * @returns 26 characters that sort after all that this process made before, a clock that is put back included
 */
export function createExchangeId(now: number): string {
  if (now > lastTime) {
    lastTime = now;
    timePart = encodeTime(now);
    random = randomDigits();
  } else increment();
  let id = timePart;
  for (const digit of random) id += DIGITS[digit];
  return id;
}

/** The smallest id of a time, to compare others with. */
export const firstIdAt = (time: number): string =>
  encodeTime(Math.max(0, time)) + "0".repeat(RANDOM_DIGITS);

function encodeTime(time: number): string {
  let rest = Math.floor(time);
  let text = "";
  for (let i = 0; i < 10; i++) {
    text = DIGITS[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function randomDigits(): number[] {
  if (poolAt + RANDOM_DIGITS > pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const digits = Array.from(
    pool.subarray(poolAt, poolAt + RANDOM_DIGITS),
    (byte) => byte & 31,
  );
  poolAt += RANDOM_DIGITS;
  return digits;
}

function increment(): void {
  for (let i = RANDOM_DIGITS - 1; i >= 0; i--) {
    if (random[i]! < 31) {
      random[i]!++;
      return;
    }
    random[i] = 0;
  }
}
