import { expect, it } from "vitest";
import { renderFigures, type Figure } from "../metrics/metrics.ts";
import { createCountsElsewhere } from "./counts-elsewhere.ts";
import { createFigureSum } from "./figure-sum.ts";

const figures = (requests: number, open: number): Figure[] => [
  {
    name: "requests_total",
    kind: "counter",
    help: "Requests.",
    lines: [['requests_total{status="2xx"}', requests]],
  },
  { name: "open", kind: "gauge", help: "Open.", lines: [["open", open]] },
];

it("adds up what all processes count, and what those counted that are gone", () => {
  const sum = createFigureSum();
  sum.take(
    new Map([
      [1, figures(10, 1)],
      [2, figures(20, 2)],
    ]),
  );
  expect(sum.each("open")).toEqual({ 1: 1, 2: 2 });
  sum.gone(1);
  sum.take(new Map([[3, figures(5, 4)]]));
  expect(renderFigures(sum.sum(figures(1, 0)))).toBe(
    '# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{status="2xx"} 36\n# HELP open Open.\n# TYPE open gauge\nopen 6\n',
  );
  expect(sum.each("open")).toEqual({ 2: 2, 3: 4 });
});

it("tells each process what the others have", () => {
  const counts = createCountsElsewhere();
  counts.set(1, "alice", 2);
  counts.set(2, "alice", 3);
  counts.replace(3, [
    ["bob", 1],
    ["alice", 4],
  ]);
  expect(counts.of("alice", 1)).toBe(7);
  expect(counts.elsewhere(1)).toEqual([
    ["alice", 7],
    ["bob", 1],
  ]);
  counts.replace(3, []);
  counts.set(2, "alice", 0);
  expect(counts.of("alice", 1)).toBe(0);
  expect(counts.gone(1)).toEqual(["alice"]);
  expect(counts.elsewhere(2)).toEqual([]);
});
