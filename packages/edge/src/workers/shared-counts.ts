// Limits that hold for all workers together: tells each of them what the others have.
import { createCountsElsewhere } from "./counts-elsewhere.ts";
import type { WorkerPool } from "./pool.ts";

/** What the workers have told of what they count. */
export interface SharedCounts {
  /** A worker has so many SSH connections of one identity now. */
  logins(worker: number, key: string, count: number): void;
  /** A worker has so many connections of these visitors now, and few of all others. */
  visitors(
    worker: number,
    counts: readonly (readonly [string, number])[],
  ): void;
  /** A worker is gone, and all that it had. */
  gone(worker: number): void;
  /** SSH connections in all workers but this one, by identity. */
  loginsElsewhere(worker: number): [string, number][];
}

/** Builds the books. */
export function createSharedCounts(
  pool: Pick<WorkerPool, "numbers" | "tell">,
): SharedCounts {
  const logins = createCountsElsewhere();
  const visitors = createCountsElsewhere();

  function shareLogins(key: string, except?: number): void {
    for (const worker of pool.numbers)
      if (worker !== except)
        pool.tell(worker, {
          t: "logins",
          key,
          elsewhere: logins.of(key, worker),
        });
  }

  function shareVisitors(except?: number): void {
    for (const worker of pool.numbers)
      if (worker !== except)
        pool.tell(worker, {
          t: "visitors",
          elsewhere: visitors.elsewhere(worker),
        });
  }

  return {
    logins(worker, key, count) {
      logins.set(worker, key, count);
      shareLogins(key, worker);
    },
    visitors(worker, counts) {
      visitors.replace(worker, counts);
      shareVisitors(worker);
    },
    gone(worker) {
      for (const key of logins.gone(worker)) shareLogins(key);
      if (visitors.gone(worker).length > 0) shareVisitors();
    },
    loginsElsewhere: (worker) => logins.elsewhere(worker),
  };
}
