// The list's order: newest first, each exchange once, no more than the page can hold.
import type { ExchangeSummary } from "@expose/protocol";

/**
 * Puts new and changed summaries into a list.
 *
 * @param rows newest first, by id
 * @param changes in any order; the last one of an id counts
 */
export function mergeRows(
  rows: readonly ExchangeSummary[],
  changes: Iterable<ExchangeSummary>,
): readonly ExchangeSummary[] {
  const byId = new Map<string, ExchangeSummary>();
  for (const change of changes) byId.set(change.id, change);
  if (byId.size === 0) return rows;
  const merged = rows.map((row) => {
    const change = byId.get(row.id);
    if (!change) return row;
    byId.delete(row.id);
    return change;
  });
  if (byId.size === 0) return merged;
  const added = [...byId.values()].sort(newestFirst);
  const oldest = added.at(-1);
  const newest = merged[0];
  // Nearly always: what is new is newer than all that was there.
  if (!newest || !oldest || oldest.id > newest.id) return [...added, ...merged];
  return [...added, ...merged].sort(newestFirst);
}

/** Ids sort by time. */
const newestFirst = (a: ExchangeSummary, b: ExchangeSummary): number =>
  a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
