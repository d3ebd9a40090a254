// Finds the word that somebody meant when they wrote one that does not exist.

/** @returns the candidate that is at most a slip or two away from `wanted`, if there is one */
export function nearest(
  wanted: string,
  candidates: Iterable<string>,
): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 4)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(plain(wanted), plain(candidate));
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

// Somebody who writes publicUrl or public_url means public-url.
const plain = (key: string): string => key.toLowerCase().replace(/[-_]/g, "");

// Levenshtein's, one row at a time. What is compared comes from the operator, but need not be short.
const MAX_COMPARED = 64;

function editDistance(a: string, b: string): number {
  if (a.length > MAX_COMPARED) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(
          row[j]! + 1,
          next[j - 1]! + 1,
          row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      );
    row = next;
  }
  return row[b.length]!;
}
