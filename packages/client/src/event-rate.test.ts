import { expect, it } from "vitest";
import { createEventRate } from "./event-rate.ts";

it("passes so many a second, and counts what it left out with the next one that passes", () => {
  let time = 0;
  const rate = createEventRate(2, () => time);
  expect(rate.leftOut(0)).toBe(0);
  expect(rate.leftOut(3)).toBe(3);
  expect(rate.leftOut(0)).toBeUndefined();
  time = 999;
  expect(rate.leftOut(5)).toBeUndefined();
  time = 1_000;
  expect(rate.leftOut(1)).toBe(8);
  expect(rate.leftOut(0)).toBe(0);
});
