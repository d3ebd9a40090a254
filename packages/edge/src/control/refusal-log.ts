// What the operator's log says of refusals. Whoever may log in can be refused without end, and must not fill a disk with it.

/** Writes refusals down. */
export interface RefusalLog {
  /** At most so many of one identity; those left out are counted in the next one that is written. */
  write(identity: string, message: string, fields: object): void;
}

/** What it needs. */
export interface RefusalLogOptions {
  readonly info: (message: string, fields: Record<string, unknown>) => void;
  /** Milliseconds of a clock that never jumps. */
  readonly clock: () => number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
  leftOut: number;
}

// A person's mistakes all stand there; a program's are enough to see that there are many.
const BURST = 20;
const REFILL_MS = 10_000;
// Identities come from the users file, which may change for years.
const MAX_BUCKETS = 10_000;

/** Builds an empty one: a bucket of tokens for each identity, which all of its sessions take from. */
export function createRefusalLog({
  info,
  clock,
}: RefusalLogOptions): RefusalLog {
  const buckets = new Map<string, Bucket>();

  function bucketOf(identity: string): Bucket {
    const now = clock();
    let bucket = buckets.get(identity);
    if (!bucket) {
      if (buckets.size >= MAX_BUCKETS) buckets.clear();
      bucket = { tokens: BURST, filledAt: now, leftOut: 0 };
      buckets.set(identity, bucket);
    }
    const refill = Math.floor((now - bucket.filledAt) / REFILL_MS);
    bucket.tokens = Math.min(BURST, bucket.tokens + refill);
    bucket.filledAt += refill * REFILL_MS;
    return bucket;
  }

  return {
    write(identity, message, fields) {
      const bucket = bucketOf(identity);
      if (bucket.tokens < 1) {
        bucket.leftOut++;
        return;
      }
      bucket.tokens--;
      const leftOut = bucket.leftOut || undefined;
      bucket.leftOut = 0;
      info(message, { identity, ...fields, leftOut });
    },
  };
}
