import { expect, test } from "vitest";
import { createRateBudget } from "./rate-budget.ts";

test("so many at once, and so many a second after that", () => {
  let now = 0;
  const budget = createRateBudget({ perSecond: 10, burst: 3 }, () => now);
  const admitted = (asked: number): number =>
    Array.from({ length: asked }, () => budget.admit()).filter(Boolean).length;
  expect(admitted(5)).toBe(3);
  now = 200;
  expect(admitted(5)).toBe(2);
  now = 100_000;
  expect(admitted(5)).toBe(3);
  now = 100_200;
  expect(budget.admit(3)).toBe(false);
  expect(budget.admit(2)).toBe(true);
  expect(budget.admit()).toBe(false);
});

test("a flood is more than a thousand a second that were turned away or did not ask, and ends with it", () => {
  let now = 0;
  const budget = createRateBudget({ perSecond: 1, burst: 1 }, () => now);
  const come = (perSecond: number): void => {
    for (let n = 0; n < perSecond; n++) {
      now += 1_000 / perSecond;
      if (n % 2) budget.admit();
      else budget.pass();
    }
  };
  come(900);
  come(900);
  expect(budget.flooded).toBe(false);
  come(2_000);
  come(2_000);
  expect(budget.flooded).toBe(true);
  come(900);
  come(900);
  expect(budget.flooded).toBe(false);
  come(2_000);
  come(2_000);
  now += 1_000;
  expect(budget.flooded).toBe(true);
  now += 1_000;
  expect(budget.flooded).toBe(false);
});
