import { expect, test } from "vitest";
import { createLiveRegion, type Screen } from "./live-region.ts";

const SHOW_CURSOR = "\x1b[?25h";
const HIDE_CURSOR = "\x1b[?25l";

/** A screen that records what it is sent; `slow` holds the first write until it is released. */
function recordScreen(slow = false) {
  const frames: string[] = [];
  let waiting: (() => void) | undefined;
  const screen: Screen = {
    columns: 40,
    rows: 10,
    write(text, done) {
      frames.push(text);
      if (slow) waiting = done;
      else done();
    },
    writeSync: (text) => void frames.push(text),
  };
  return { screen, frames, release: () => waiting?.() };
}

test("nothing is erased before it is written over, so that nothing flickers", () => {
  const { screen, frames } = recordScreen();
  const region = createLiveRegion(screen);
  region.draw(["same", "old"]);
  region.draw(["same", "new"]);
  expect(frames[1]).toMatch(/^[^J]*same[^J]*new.*J/s);
});

test("frames are dropped while the terminal takes nothing, and the newest is drawn then", () => {
  const { screen, frames, release } = recordScreen(true);
  const region = createLiveRegion(screen);
  region.draw(["frame 1"]);
  region.draw(["frame 2"]);
  region.draw(["frame 3"]);
  expect(frames).toHaveLength(1);
  release();
  expect(frames).toHaveLength(2);
  expect(frames[1]).toContain("frame 3");
});

test("printed lines are never dropped", () => {
  const { screen, frames, release } = recordScreen(true);
  const region = createLiveRegion(screen);
  region.draw(["status"]);
  region.print(["first"]);
  region.print(["second"]);
  release();
  expect(frames[1]).toMatch(/first.*second.*status/s);
});

test("printing shows what was printed without a block, and leaves the cursor alone", () => {
  const { screen, frames } = recordScreen();
  createLiveRegion(screen).print(["before anything is open"]);
  expect(frames.join("")).toContain("before anything is open");
  expect(frames.join("")).not.toContain(HIDE_CURSOR);
});

test("a block is never higher than the screen", () => {
  const { screen, frames } = recordScreen();
  createLiveRegion(screen).draw(
    Array.from({ length: 30 }, (_, n) => `line ${n};`),
  );
  expect(frames[0]).toContain("line 8;");
  expect(frames[0]).not.toContain("line 9;");
});

test("the end shows the cursor, once, and nothing is written after it", async () => {
  const { screen, frames } = recordScreen();
  const region = createLiveRegion(screen);
  region.draw(["status"]);
  expect(frames.join("")).toContain(HIDE_CURSOR);
  await region.end(["closed"]);
  expect(frames.at(-1)).toContain("closed");
  expect(frames.at(-1)!.endsWith(SHOW_CURSOR)).toBe(true);
  const count = frames.length;
  await region.end(["again"]);
  region.endNow(["again"]);
  region.draw(["again"]);
  region.print(["again"]);
  await region.clear();
  expect(frames).toHaveLength(count);
});

test("after a resize the block is drawn from the top of the screen", () => {
  const { screen, frames } = recordScreen();
  const region = createLiveRegion(screen);
  region.draw(["status"]);
  expect(frames[0]).not.toContain("\x1b[H");
  region.resized();
  region.draw(["status"]);
  expect(frames[1]).toMatch(/\[H[^J]*status.*J/s);
  region.draw(["status"]);
  expect(frames[2]).not.toContain("\x1b[H");
});

test("the end waits for a frame that is on its way, and not for ever", async () => {
  const { screen, frames, release } = recordScreen(true);
  const region = createLiveRegion(screen);
  region.draw(["status"]);
  const ended = region.end(["closed"]);
  expect(frames).toHaveLength(1);
  release();
  await ended;
  expect(frames.at(-1)).toContain("closed");

  const stuck = recordScreen(true);
  const other = createLiveRegion(stuck.screen);
  other.draw(["status"]);
  await other.end(["closed"]);
  expect(stuck.frames.at(-1)).toContain("closed");
});

test("a suspended process leaves no block and a visible cursor behind", async () => {
  const { screen, frames } = recordScreen();
  const region = createLiveRegion(screen);
  region.draw(["status"]);
  await region.clear();
  expect(frames.at(-1)).toBe("\x1b8\x1b[J\x1b[?25h");
  region.draw(["status"]);
  expect(frames.at(-1)).toContain("status");
});
