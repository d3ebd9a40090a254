import type { ExchangeSummary } from "@expose/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeRows } from "./merge.ts";

const row = (id: string, target = ""): ExchangeSummary => ({
  id,
  target,
  tunnel: "",
  origin: "",
  kind: "http",
  state: "open",
  startedAt: 0,
  method: "GET",
  host: "",
  requestBytes: 0,
  responseBytes: 0,
});

test("new ones come on top, changed ones stay in their place", () => {
  const rows = [row("3"), row("1")];
  const merged = mergeRows(rows, [row("4"), row("1", "/changed"), row("5")]);
  expect(merged.map(({ id, target }) => id + target)).toEqual([
    "5",
    "4",
    "3",
    "1/changed",
  ]);
});

test("one that comes late is put where its time is", () => {
  expect(
    mergeRows([row("3"), row("1")], [row("2")]).map(({ id }) => id),
  ).toEqual(["3", "2", "1"]);
});

test("without changes the list is the very same, so that nothing is drawn", () => {
  const rows = [row("1")];
  expect(mergeRows(rows, [])).toBe(rows);
});

test("in whatever order they come, each is there once, newest first, as it was last", () => {
  const ids = fc.array(
    fc.array(fc.integer({ min: 100, max: 140 }), { maxLength: 10 }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(ids, (batches) => {
      let rows: readonly ExchangeSummary[] = [];
      const last = new Map<string, string>();
      for (const [step, batch] of batches.entries()) {
        const changes = batch.map((id, at) => row(String(id), `${step}.${at}`));
        for (const { id, target } of changes) last.set(id, target);
        rows = mergeRows(rows, changes);
      }
      const wanted = [...last].sort(([a], [b]) => (a < b ? 1 : -1));
      expect(rows.map(({ id, target }) => [id, target])).toEqual(wanted);
    }),
  );
});
