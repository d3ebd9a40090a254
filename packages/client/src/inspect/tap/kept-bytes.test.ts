import { expect, test } from "vitest";
import { createKeptBytes } from "./kept-bytes.ts";

test("no more is held at a time than there is room for", () => {
  const kept = createKeptBytes({ maxBytes: 10, perSecond: 100, burst: 100 });
  expect(kept.take(8)).toBe(8);
  expect(kept.take(8, 8)).toBe(2);
  kept.give(5);
  expect(kept.take(8)).toBe(5);
  expect(kept.held).toBe(10);
});

test("after a burst no more is taken than comes back, except for what does not count", () => {
  let now = 0;
  const kept = createKeptBytes(
    { maxBytes: 1_000, perSecond: 10, burst: 20 },
    () => now,
  );
  expect(kept.take(30)).toBe(20);
  expect(kept.take(30)).toBe(0);
  expect(kept.take(30, 4)).toBe(4);
  now = 1_000;
  expect(kept.take(30, 4)).toBe(14);
  now = 100_000;
  expect(kept.take(30)).toBe(20);
});

test("once all is taken nothing is until a quarter of a second's is there", () => {
  let now = 0;
  const kept = createKeptBytes(
    { maxBytes: 1_000, perSecond: 40, burst: 20 },
    () => now,
  );
  expect(kept.take(30)).toBe(20);
  now = 200;
  expect(kept.take(5)).toBe(0);
  now = 250;
  expect(kept.take(5)).toBe(5);
  expect(kept.take(5)).toBe(5);
  expect(kept.take(5)).toBe(0);
});

test("while traffic is heavy less comes back", () => {
  let now = 0;
  const traffic = { heavy: true };
  const kept = createKeptBytes(
    { maxBytes: 1_000, perSecond: 10, perHeavySecond: 5, burst: 20, traffic },
    () => now,
  );
  expect(kept.take(20)).toBe(20);
  now = 1_000;
  expect(kept.take(20)).toBe(5);
  traffic.heavy = false;
  now = 2_000;
  expect(kept.take(20)).toBe(10);
});
