import type { ExchangeSummary } from "@expose/protocol";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { Exchanges } from "./exchanges.ts";

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

const summary = (number: number): ExchangeSummary => ({
  id: String(number).padStart(26, "0"),
  target: `/${number}`,
  tunnel: "shop",
  origin: "https://shop.example.com",
  kind: "http",
  state: "complete",
  startedAt: 0,
  method: "GET",
  host: "shop.example.com",
  requestBytes: 0,
  responseBytes: 0,
});

/** A list, and how often it was drawn. */
function startList() {
  const exchanges = new Exchanges();
  const draws = { count: 0 };
  exchanges.state.subscribe(() => draws.count++);
  return { exchanges, draws };
}

test("events of the same moment are drawn together", () => {
  const { exchanges, draws } = startList();
  for (let i = 0; i < 1_000; i++) exchanges.apply(summary(i));
  vi.advanceTimersByTime(79);
  expect(draws.count).toBe(0);
  vi.advanceTimersByTime(1);
  expect(draws.count).toBe(1);
  expect(exchanges.state.value.rows).toHaveLength(1_000);
});

test("no more than so many are held, the newest of them, and the others can be had again", () => {
  const { exchanges } = startList();
  for (let i = 0; i < 20_001; i++) exchanges.apply(summary(i));
  vi.advanceTimersByTime(80);
  const { rows, more } = exchanges.state.value;
  expect(rows).toHaveLength(20_000);
  expect(rows[0]?.target).toBe("/20000");
  expect(more).toBe(true);
});

test("while it is paused what is known changes, and what is new is held within the same bounds", () => {
  const { exchanges } = startList();
  exchanges.apply(summary(0));
  vi.advanceTimersByTime(80);
  exchanges.setPaused(true);
  exchanges.apply({ ...summary(0), target: "/changed" });
  for (let i = 1; i <= 20_005; i++) exchanges.apply(summary(i));
  vi.advanceTimersByTime(80);
  expect(exchanges.state.value.rows.map(({ target }) => target)).toEqual([
    "/changed",
  ]);
  expect(exchanges.state.value.held).toBe(20_000);
});

test("what is cleared does not come back with what was gathered before", () => {
  const { exchanges } = startList();
  exchanges.apply(summary(0));
  exchanges.applyCleared();
  vi.advanceTimersByTime(1_000);
  expect(exchanges.state.value.rows).toEqual([]);
});

test("what comes while the API looks for what is new is looked for as well", async () => {
  const { exchanges } = startList();
  const answers: ((...items: ExchangeSummary[]) => void)[] = [];
  vi.stubGlobal(
    "fetch",
    () =>
      new Promise((resolve) =>
        answers.push((...items) => resolve(Response.json({ items }))),
      ),
  );
  onTestFinished(() => void vi.unstubAllGlobals());
  exchanges.setFilter("path:/*");
  answers[0]!();
  await vi.advanceTimersByTimeAsync(0);
  exchanges.apply(summary(1));
  await vi.advanceTimersByTimeAsync(500);
  expect(answers).toHaveLength(2);
  exchanges.apply(summary(2));
  await vi.advanceTimersByTimeAsync(100);
  answers[1]!(summary(1));
  await vi.advanceTimersByTimeAsync(500);
  answers[2]!(summary(2), summary(1));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(exchanges.state.value.rows).toHaveLength(2);
  expect(answers).toHaveLength(3);
});
