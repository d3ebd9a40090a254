// What the operator's log says of what tenants do. Whoever may log in can open, close and be refused without end, and must
// not fill a disk with it.

/** Writes down what identities do. */
export interface TenantLog {
  /** At most so many of one identity; those left out are counted in the next one that is written. */
  write(identity: string, message: string, fields: object): void;
}

/** What it needs. */
export interface TenantLogOptions {
  /** Lines that an identity may cause at once; after those there is one every ten seconds. */
  readonly burst: number;
  readonly info: (message: string, fields: Record<string, unknown>) => void;
  /** Milliseconds of a clock that never jumps. */
  readonly clock: () => number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
  leftOut: number;
}

const REFILL_MS = 10_000;
// Identities come from the users file, which may change for years.
const MAX_BUCKETS = 10_000;

/** Builds an empty one: a bucket of tokens for each identity, which all of its sessions take from. */
export function createTenantLog({
  burst,
  info,
  clock,
}: TenantLogOptions): TenantLog {
  const buckets = new Map<string, Bucket>();

  function bucketOf(identity: string): Bucket {
    const now = clock();
    let bucket = buckets.get(identity);
    if (!bucket) {
      if (buckets.size >= MAX_BUCKETS) buckets.clear();
      bucket = { tokens: burst, filledAt: now, leftOut: 0 };
      buckets.set(identity, bucket);
    }
    const refill = Math.floor((now - bucket.filledAt) / REFILL_MS);
    bucket.tokens = Math.min(burst, bucket.tokens + refill);
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
      info(message, { ...fields, identity, leftOut });
    },
  };
}
