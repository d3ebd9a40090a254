import { expect, test } from "vitest";
import { scrollToShow, visibleRange } from "./window.ts";

const view = (scrollTop: number) => ({ scrollTop, height: 300, rowHeight: 30 });

test("rows in sight are drawn, and a few beyond, whatever the length of the list", () => {
  expect(visibleRange(view(0), 10_000)).toEqual({ from: 0, to: 22 });
  expect(visibleRange(view(150_000), 10_000)).toEqual({
    from: 4_988,
    to: 5_022,
  });
  expect(visibleRange(view(299_700), 10_000)).toEqual({
    from: 9_978,
    to: 10_000,
  });
});

test("there is nothing to draw of a list that is empty, or that shrank below the view", () => {
  expect(visibleRange(view(0), 0)).toEqual({ from: 0, to: 0 });
  expect(visibleRange(view(9_000), 5)).toEqual({ from: 5, to: 5 });
});

test("a row is scrolled to when it is out of sight, by no more than it takes", () => {
  expect(scrollToShow(view(300), 12)).toBe(300);
  expect(scrollToShow(view(300), 5)).toBe(150);
  expect(scrollToShow(view(300), 25)).toBe(480);
});
