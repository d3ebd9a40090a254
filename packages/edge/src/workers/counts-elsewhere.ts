// What several processes count of the same things, so that each can be told what the others have.

/** Counts by process and key. */
export interface CountsElsewhere {
  /** A process has so many of these now. */
  set(process: number, key: string, count: number): void;
  /** A process has these now, and no others. */
  replace(
    process: number,
    counts: readonly (readonly [string, number])[],
  ): void;
  /** A process is gone. @returns the keys of what it had */
  gone(process: number): string[];
  /** What all processes but this one have of a key. */
  of(key: string, process: number): number;
  /** The same for all keys that any other has some of. */
  elsewhere(process: number): [string, number][];
}

/** Builds the books. */
export function createCountsElsewhere(): CountsElsewhere {
  const all = new Map<number, Map<string, number>>();

  const of = (key: string, process: number): number => {
    let sum = 0;
    for (const [other, counts] of all)
      if (other !== process) sum += counts.get(key) ?? 0;
    return sum;
  };

  return {
    set(process, key, count) {
      const counts = all.get(process) ?? new Map<string, number>();
      all.set(process, counts);
      if (count > 0) counts.set(key, count);
      else counts.delete(key);
    },
    replace: (process, counts) => void all.set(process, new Map(counts)),
    gone(process) {
      const keys = [...(all.get(process)?.keys() ?? [])];
      all.delete(process);
      return keys;
    },
    of,
    elsewhere(process) {
      const keys = new Set<string>();
      for (const [other, counts] of all)
        if (other !== process) for (const key of counts.keys()) keys.add(key);
      return [...keys].map((key) => [key, of(key, process)]);
    },
  };
}
