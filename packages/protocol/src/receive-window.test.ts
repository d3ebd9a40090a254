// Windows on simulated lines, held against a sender that sends all that it may, as OpenSSH does.
import { describe, expect, it } from "vitest";
import { createPathMeter } from "./path-meter.ts";
import {
  createReceiveWindow,
  createWindowBudget,
  START_WINDOW_BYTES,
  type WindowBudget,
} from "./receive-window.ts";
import { Line } from "./testing/line.ts";

const PACKET = 32 * 1024;
const PLENTY = createWindowBudget(1024 ** 3);

function startPath(line: Line) {
  const path = createPathMeter({
    // The way there is ours and free; the answer comes behind what the peer sends.
    ping: (onReply) =>
      line.sendBack(() => {
        line.send(60, onReply);
      }),
    now: () => line.now,
    onRoom: () => {},
  });
  line.run(2 * line.delayMs + 1, () => {});
  return path;
}

/** A channel whose sender never runs out of data. */
function openChannel(
  line: Line,
  path: ReturnType<typeof startPath>,
  budget: WindowBudget = PLENTY,
) {
  const window = createReceiveWindow(
    START_WINDOW_BYTES,
    path,
    budget,
    () => line.now,
  );
  const channel = {
    arrived: 0,
    unread: 0,
    reading: true,
    mostHeld: 0,
    grants: 0,
    window,
    resume(): void {
      channel.reading = true;
      channel.unread = 0;
      grant();
    },
  };
  let mayBeSent = START_WINDOW_BYTES;
  let granted = START_WINDOW_BYTES;
  function send(): void {
    while (mayBeSent > 0) {
      const bytes = Math.min(PACKET, mayBeSent);
      mayBeSent -= bytes;
      line.send(bytes, () => {
        expect(window.arrived(bytes)).toBe(true);
        channel.arrived += bytes;
        if (!channel.reading) channel.unread += bytes;
        grant();
        channel.mostHeld = Math.max(
          channel.mostHeld,
          granted - channel.arrived + channel.unread,
        );
      });
    }
  }
  function grant(): void {
    const bytes = window.grant(channel.unread);
    if (bytes === 0) return;
    channel.grants++;
    granted += bytes;
    line.sendBack(() => {
      mayBeSent += bytes;
      send();
    });
  }
  send();
  return channel;
}

/** Lets time pass. @returns the longest queue on the line */
function watch(line: Line, ms: number): number {
  let longest = 0;
  line.run(ms, () => (longest = Math.max(longest, line.queueMs)));
  return longest;
}

describe("the window of a channel", () => {
  it.each([
    { about: "4 Mbit/s and 80 ms", rate: 500, delayMs: 40, queueMs: 420 },
    { about: "20 Mbit/s and 20 ms", rate: 2_500, delayMs: 10, queueMs: 120 },
    { about: "100 Mbit/s and 50 ms", rate: 12_500, delayMs: 25, queueMs: 35 },
    { about: "1 Gbit/s and 50 ms", rate: 125_000, delayMs: 25, queueMs: 45 },
    { about: "1 Gbit/s and 1 ms", rate: 125_000, delayMs: 0.5, queueMs: 30 },
  ])(
    "keeps a line of $about busy, and its sender queues for $queueMs ms at most",
    ({ rate, delayMs, queueMs }) => {
      const line = new Line(rate, delayMs);
      const channel = openChannel(line, startPath(line));
      watch(line, 10_000);
      const before = channel.arrived;
      const queued = watch(line, 15_000);
      expect((channel.arrived - before) / (rate * 15_000)).toBeGreaterThan(
        0.93,
      );
      expect(queued).toBeLessThan(queueMs);
    },
  );

  it("is a share of the line beside three others", () => {
    const line = new Line(12_500, 25);
    const path = startPath(line);
    const channels = [1, 2, 3, 4].map(() => openChannel(line, path));
    watch(line, 5_000);
    const before = channels.map(({ arrived }) => arrived);
    expect(watch(line, 20_000)).toBeLessThan(80);
    const shares = channels.map(
      ({ arrived }, i) => (arrived - before[i]!) / (12_500 * 20_000),
    );
    for (const share of shares) expect(share).toBeGreaterThan(0.15);
  });

  it("stays as it is for a reader that stands still, and comes back when the reader does", () => {
    const line = new Line(12_500, 25);
    const channel = openChannel(line, startPath(line));
    watch(line, 5_000);
    channel.reading = false;
    watch(line, 60_000);
    expect(channel.unread).toBeLessThan(1.1 * 1024 ** 2);
    const { arrived } = channel;
    channel.resume();
    watch(line, 2_000);
    expect(channel.arrived).toBeGreaterThan(arrived + 10_000_000);
  });

  it("never holds more than 16 MiB, and no more than its budget allows", () => {
    const line = new Line(1.25e6, 50);
    const path = startPath(line);
    const alone = openChannel(line, path);
    watch(line, 5_000);
    expect(alone.mostHeld).toBeGreaterThan(15 * 1024 ** 2);
    expect(alone.mostHeld).toBeLessThanOrEqual(16 * 1024 ** 2);

    const poor = new Line(1.25e6, 50);
    const budget = createWindowBudget(3 * 1024 ** 2);
    const poorPath = startPath(poor);
    const [first, second] = [1, 2].map(() =>
      openChannel(poor, poorPath, budget),
    );
    watch(poor, 5_000);
    expect(first!.mostHeld + second!.mostHeld).toBeLessThanOrEqual(
      5 * 1024 ** 2,
    );
  });

  it("refuses what was not granted", () => {
    const window = createReceiveWindow(
      100_000,
      startPath(new Line(1_000, 1)),
      PLENTY,
      () => 0,
    );
    expect(window.arrived(60_000)).toBe(true);
    expect(window.arrived(40_001)).toBe(false);
    expect(window.arrived(40_000)).toBe(true);
  });

  it("is granted in pieces of 64 KiB and more", () => {
    const line = new Line(12_500, 25);
    const channel = openChannel(line, startPath(line));
    watch(line, 10_000);
    expect(channel.arrived / channel.grants).toBeGreaterThan(64 * 1024);
  });
});

describe("a budget", () => {
  it("is shared, and given back", () => {
    const all = createWindowBudget(100);
    const one = createWindowBudget(80, all);
    const other = createWindowBudget(80, all);
    expect([one.take(90), other.take(90)]).toEqual([80, 20]);
    one.giveBack(30);
    expect([other.take(50), one.take(1)]).toEqual([30, 0]);
  });

  it("has back what its windows took when they close", () => {
    const line = new Line(125_000, 25);
    const budget = createWindowBudget(8 * 1024 ** 2);
    const channel = openChannel(line, startPath(line), budget);
    watch(line, 5_000);
    const left = budget.take(Infinity);
    expect(left).toBeLessThan(8 * 1024 ** 2);
    budget.giveBack(left);
    channel.window.close();
    expect(budget.take(Infinity)).toBe(8 * 1024 ** 2);
  });
});
