// The meter on simulated lines: it keeps them busy, and next to nothing waits.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPathMeter, type PathMeter } from "./path-meter.ts";
import { Line } from "./testing/line.ts";

const PIECE = 64 * 1024;
const MARKED = 64 * 1024;

/** A sender that always has more to say, in pieces, as long as there is room. */
function startSender(line: Line) {
  let arrived = 0;
  let sent = 0;
  let atMost = Infinity;
  let longestQueueMs = 0;
  let sending = true;
  const meter: PathMeter = createPathMeter({
    // A request of 60 bytes and its answer.
    ping: (onReply) => line.send(60, () => line.sendBack(onReply)),
    now: () => line.now,
    onRoom: () => send(),
  });
  function send(): void {
    while (sending && meter.room() > 0 && sent - arrived < atMost) {
      sent += PIECE;
      line.send(PIECE, () => (arrived += PIECE));
      meter.sent(PIECE);
      longestQueueMs = Math.max(longestQueueMs, line.queueMs);
    }
  }
  // The login is over and nothing has been asked for yet.
  line.run(2 * line.delayMs + 1, () => {});
  return {
    meter,
    stop: () => (sending = false),
    start: () => (sending = true),
    /** Bytes that the peer's window lets be on their way. */
    most: (bytes: number) => (atMost = bytes),
    /** Share of the line's rate that was used, and the longest queue, from now on for so long. */
    watch(ms: number): { share: number; queueMs: number } {
      const before = arrived;
      longestQueueMs = 0;
      line.run(ms, send);
      return {
        share: (arrived - before) / (line.rate * ms),
        queueMs: longestQueueMs,
      };
    },
  };
}

const LINES = [
  { about: "4 Mbit/s and 80 ms", rate: 500, delayMs: 40, queueMs: 290 },
  { about: "20 Mbit/s and 20 ms", rate: 2_500, delayMs: 10, queueMs: 60 },
  { about: "100 Mbit/s and 50 ms", rate: 12_500, delayMs: 25, queueMs: 40 },
  { about: "1 Gbit/s and 50 ms", rate: 125_000, delayMs: 25, queueMs: 40 },
  { about: "1 Gbit/s and 200 ms", rate: 125_000, delayMs: 100, queueMs: 120 },
];

describe("bytes on their way", () => {
  it.each(LINES)(
    "keep a line of $about busy and queue for $queueMs ms at most",
    ({ rate, delayMs, queueMs }) => {
      const sender = startSender(new Line(rate, delayMs));
      // Slow start: the rate doubles with each round trip.
      expect(sender.watch(30 * delayMs).share).toBeGreaterThan(0.5);
      sender.watch(5_000);
      const { share, queueMs: queued } = sender.watch(30_000);
      expect(share).toBeGreaterThan(0.97);
      expect(queued).toBeLessThan(queueMs);
    },
  );

  it("follow a line that becomes ten times as fast, or as slow", () => {
    const line = new Line(5_000, 25);
    const sender = startSender(line);
    sender.watch(5_000);
    line.rate = 50_000;
    sender.watch(2_000);
    expect(sender.watch(5_000).share).toBeGreaterThan(0.97);
    line.rate = 5_000;
    sender.watch(5_000);
    const { share, queueMs } = sender.watch(5_000);
    expect(share).toBeGreaterThan(0.97);
    expect(queueMs).toBeLessThan(35);
  });

  it("follow a round trip that becomes longer, or shorter", () => {
    const line = new Line(12_500, 10);
    const sender = startSender(line);
    sender.watch(5_000);
    line.delayMs = 40;
    sender.watch(20_000);
    expect(sender.meter.roundTripMs).toBeGreaterThan(55);
    expect(sender.watch(5_000).share).toBeGreaterThan(0.7);
    line.delayMs = 10;
    sender.watch(5_000);
    const { share, queueMs } = sender.watch(5_000);
    expect(share).toBeGreaterThan(0.97);
    expect(queueMs).toBeLessThan(45);
  });

  it("are few again after a pause, and then grow again", () => {
    const line = new Line(125_000, 25);
    const sender = startSender(line);
    sender.watch(5_000);
    sender.stop();
    sender.watch(60_000);
    sender.start();
    line.rate = 500;
    expect(sender.watch(3_000).queueMs).toBeLessThan(2_500);
    expect(sender.watch(10_000).share).toBeGreaterThan(0.97);
  });

  // Seen with sshd after packets were lost: the rate was thought to be two and a half times what it was, and as it was the
  // server's window that bounded what was on its way, nothing ever told otherwise.
  it("are not misjudged for long when they once came too fast, and the peer's window holds them back since", () => {
    const line = new Line(32_000, 25);
    const sender = startSender(line);
    sender.watch(300);
    line.rate = 12_500;
    sender.most(2_400_000);
    sender.watch(3_000);
    const { share, queueMs } = sender.watch(5_000);
    expect(share).toBeGreaterThan(0.97);
    expect(queueMs).toBeLessThan(40);
  });

  it("are not counted for a peer that answers nothing", () => {
    let pings = 0;
    const meter = createPathMeter({
      ping: () => pings++,
      now: () => 0,
      onRoom: () => {},
    });
    for (let i = 0; i < 1_000; i++) meter.sent(1e6);
    expect([meter.room(), pings]).toEqual([Infinity, 1]);
  });
});

describe("markers", () => {
  it("find the round trip of a server that answers the first one late", () => {
    const line = new Line(12_500, 25);
    let first = true;
    const meter = createPathMeter({
      ping(onReply) {
        const answer = (): void => line.sendBack(onReply);
        if (first)
          line.send(60, () => line.sendBack(() => line.sendBack(answer)));
        else line.send(60, answer);
        first = false;
      },
      now: () => line.now,
      onRoom: () => {},
    });
    line.run(120, () => {});
    expect(meter.roundTripMs).toBeGreaterThan(90);
    line.run(200, () => {});
    expect(meter.roundTripMs).toBeCloseTo(50, 0);
  });

  it("are always under way while the path is full, whatever is written when", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            bytes: fc.nat(200_000),
            waitMs: fc.oneof(fc.nat(3), fc.nat(200), fc.nat(20_000)),
          }),
          { maxLength: 60 },
        ),
        (writes) => {
          const line = new Line(2_500, 20);
          let underWay = 0;
          const meter = createPathMeter({
            ping(onReply) {
              underWay++;
              line.send(60, () =>
                line.sendBack(() => {
                  underWay--;
                  onReply();
                }),
              );
            },
            now: () => line.now,
            onRoom: () => {},
          });
          for (const { bytes, waitMs } of writes) {
            if (meter.room() > 0) {
              line.send(bytes, () => {});
              meter.sent(bytes);
            }
            if (meter.room() <= 0) expect(underWay).toBeGreaterThan(0);
            line.run(waitMs, () => {});
            if (meter.room() <= 0) expect(underWay).toBeGreaterThan(0);
          }
          line.run(60_000, () => {});
          expect(underWay).toBe(0);
          expect(meter.room()).toBeGreaterThan(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("are a thousand a second at most, and one for 32 KiB at most", () => {
    for (const rate of [500, 12_500, 500_000]) {
      const line = new Line(rate, 0.2);
      let pings = 0;
      let sent = 0;
      const meter = createPathMeter({
        ping(onReply) {
          pings++;
          line.send(60, () => line.sendBack(onReply));
        },
        now: () => line.now,
        onRoom: () => {},
      });
      line.run(4_000, () => {
        while (meter.room() > 0 && line.queueMs < 2) {
          sent += 32_768;
          line.send(32_768, () => {});
          meter.sent(32_768);
        }
      });
      expect(sent).toBeGreaterThan(3_900 * rate);
      expect(pings).toBeLessThanOrEqual(4 + sent / (MARKED / 2));
      expect(pings).toBeLessThan(4_100);
    }
  });

  it("are sent once a second while much is received and nothing sent", () => {
    const line = new Line(12_500, 25);
    let pings = 0;
    const meter = createPathMeter({
      ping(onReply) {
        pings++;
        line.send(60, () => line.sendBack(onReply));
      },
      now: () => line.now,
      onRoom: () => {},
    });
    line.run(9_000, () => meter.refresh());
    expect(pings).toBeGreaterThan(7);
    expect(pings).toBeLessThan(13);
    expect(meter.roundTripMs).toBeCloseTo(50, 0);
  });
});
