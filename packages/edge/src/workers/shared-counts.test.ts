import { expect, it } from "vitest";
import type { ToWorker } from "./messages.ts";
import { createSharedCounts } from "./shared-counts.ts";

function useCounts() {
  let told: [worker: number, message: ToWorker][] = [];
  const counts = createSharedCounts({
    numbers: [1, 2, 3],
    tell: (worker, message) => void told.push([worker, message]),
  });
  return {
    counts,
    /** What was told since the last time. */
    told() {
      const since = told;
      told = [];
      return since;
    },
  };
}

it("tells the other workers what all but themselves have of an identity", () => {
  const { counts, told } = useCounts();
  counts.logins(1, "alice", 2);
  counts.logins(2, "alice", 3);
  told();
  counts.logins(3, "alice", 1);
  expect(told()).toEqual([
    [1, { t: "logins", key: "alice", elsewhere: 4 }],
    [2, { t: "logins", key: "alice", elsewhere: 3 }],
  ]);
  expect(counts.loginsElsewhere(1)).toEqual([["alice", 4]]);
});

it("tells the other workers of a worker's busy visitors", () => {
  const { counts, told } = useCounts();
  counts.visitors(1, [["a visitor", 40]]);
  expect(told()).toEqual([
    [2, { t: "visitors", elsewhere: [["a visitor", 40]] }],
    [3, { t: "visitors", elsewhere: [["a visitor", 40]] }],
  ]);
});

it("tells the workers that are left when what one had is gone with it", () => {
  const { counts, told } = useCounts();
  counts.logins(9, "alice", 2);
  counts.visitors(9, [["a visitor", 40]]);
  told();
  counts.gone(9);
  const left = [1, 2, 3];
  expect(told()).toEqual([
    ...left.map((n) => [n, { t: "logins", key: "alice", elsewhere: 0 }]),
    ...left.map((n) => [n, { t: "visitors", elsewhere: [] }]),
  ]);
  counts.gone(9);
  expect(told()).toEqual([]);
});
