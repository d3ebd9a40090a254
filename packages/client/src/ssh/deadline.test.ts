import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startDeadline } from "./deadline.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("counts only the time in which it was not paused", () => {
  const expired = vi.fn(() => {});
  const deadline = startDeadline(1_000, expired);
  vi.advanceTimersByTime(600);
  deadline.pause();
  deadline.pause();
  vi.advanceTimersByTime(60_000);
  deadline.resume();
  deadline.resume();
  vi.advanceTimersByTime(399);
  expect(expired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(expired).toHaveBeenCalledTimes(1);
});

it("is over when it is cleared, though it was paused then", () => {
  const expired = vi.fn(() => {});
  const deadline = startDeadline(1_000, expired);
  deadline.pause();
  deadline.clear();
  deadline.resume();
  vi.advanceTimersByTime(60_000);
  expect(expired).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
