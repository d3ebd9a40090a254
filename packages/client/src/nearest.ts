// Finds the key that somebody meant when they wrote one that does not exist.

/** @returns the one of `keys` that is a slip or two away from `written`, if there is one */
export function nearest(
  written: string,
  keys: readonly string[],
): string | undefined {
  const [best] = keys
    .map((key) => ({ key, slips: countSlips(bare(written), bare(key)) }))
    .sort((a, b) => a.slips - b.slips);
  const allowed = written.length < 4 ? 1 : 2;
  return best && best.slips <= allowed ? best.key : undefined;
}

// Who writes hostHeader or host_header means host-header.
const bare = (key: string): string => key.toLowerCase().replace(/[-_]/g, "");

// Levenshtein's distance, by its definition with a memory. Keys are short, and so is what can be a slip of one.
function countSlips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Infinity;
  const known = new Map<number, number>();
  const count = (i: number, j: number): number => {
    if (i === 0 || j === 0) return i + j;
    const place = i * (b.length + 1) + j;
    const found = known.get(place);
    if (found !== undefined) return found;
    const slips = Math.min(
      count(i - 1, j) + 1,
      count(i, j - 1) + 1,
      count(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
    );
    known.set(place, slips);
    return slips;
  };
  return count(a.length, b.length);
}
