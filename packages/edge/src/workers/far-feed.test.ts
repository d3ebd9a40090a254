import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { recordOf } from "../access-log/record.fixture.ts";
import type { LiveTunnel } from "../routes/live-tunnel.ts";
import { createFarFeed } from "./far-feed.ts";
import type { ToPrimary } from "./messages.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("tells of requests of watched tunnels of other processes, in batches, without their headers, and not without end", () => {
  const told: ToPrimary[] = [];
  const tunnels = new Map<string, { watched: boolean; number: number }>();
  for (let i = 1; i <= 10; i++)
    tunnels.set(`t${i}`, { watched: i !== 2, number: i });
  const feed = createFarFeed({
    named: (name) => tunnels.get(name) as unknown as LiveTunnel | undefined,
    book: {
      isOwn: (tunnel) => tunnels.get("t3") === (tunnel as unknown),
      numberOf: (tunnel) => (tunnel as unknown as { number: number }).number,
    },
    channel: { tell: (message) => void told.push(message) },
  });
  const sent = (): number[] =>
    told.flatMap((message) =>
      message.t === "records" ? message.records.map((each) => each.tunnel) : [],
    );
  for (const tunnel of ["t1", "t2", "t3", "nobody", undefined])
    feed(recordOf({ tunnel, startedAt: 1_000, totalMs: 0 }));
  expect(told).toEqual([]);
  vi.advanceTimersByTime(20);
  expect(told).toHaveLength(1);
  expect(sent()).toEqual([1]);
  expect(told[0]).toMatchObject({ records: [{ record: { rawHeaders: [] } }] });

  for (let i = 0; i < 5_000; i++)
    feed(recordOf({ tunnel: "t1", startedAt: 2_000, totalMs: 0 }));
  vi.advanceTimersByTime(20);
  expect(sent()).toHaveLength(1 + 600);
  for (let i = 0; i < 5_000; i++)
    feed(
      recordOf({ tunnel: `t${(i % 10) + 1}`, startedAt: 3_000, totalMs: 0 }),
    );
  vi.advanceTimersByTime(20);
  expect(sent()).toHaveLength(1 + 600 + 2_000);
});
