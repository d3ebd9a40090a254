import { expect, it } from "vitest";
import { Closable } from "./closable.ts";

it("tells everybody once that it has ended, and those who ask later at once", () => {
  const thing = new Closable();
  const told: string[] = [];
  thing.onceClosed(() => told.push(`first, closed: ${thing.closed}`));
  thing.onceClosed(() => told.push("second"));
  expect(thing.closed).toBe(false);
  thing.markClosed();
  thing.markClosed();
  expect(told).toEqual(["first, closed: true", "second"]);
  thing.onceClosed(() => told.push("late"));
  expect(told.at(-1)).toBe("late");
});

it("does not tell whoever has taken it back, even while it ends", () => {
  const thing = new Closable();
  const told: string[] = [];
  const forgetEarly = thing.onceClosed(() => told.push("early"));
  let forgetLate = (): void => {};
  thing.onceClosed(() => {
    told.push("kept");
    forgetLate();
  });
  forgetLate = thing.onceClosed(() => told.push("late"));
  forgetEarly();
  thing.markClosed();
  expect(told).toEqual(["kept"]);
});
