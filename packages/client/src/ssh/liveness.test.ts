import {
  afterEach,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
  vi,
} from "vitest";
import { watchLiveness } from "./liveness.ts";

// Time is faked; bytes are counters. The whole of it over real connections is in connection.test.ts.
const TIMES = { idleMs: 5_000, deadMs: 5_000, wakeMs: 2_000 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watch() {
  const line = { received: 0, sent: 0, queued: false };
  const ping = vi.fn(() => {});
  const onDead = vi.fn((_silentMs: number) => {});
  const stop = watchLiveness(
    {
      bytesReceived: () => line.received,
      bytesSent: () => line.sent,
      hasQueue: () => line.queued,
    },
    TIMES,
    ping,
    onDead,
  );
  const seconds = async (count: number, each?: () => void): Promise<void> => {
    for (let i = 0; i < count; i++) {
      each?.();
      await vi.advanceTimersByTimeAsync(1_000);
    }
  };
  return { line, ping, onDead, stop, seconds };
}

describe("a connection", () => {
  it("that talks is never asked", async () => {
    const { line, ping, onDead, seconds } = watch();
    await seconds(60, () => line.received++);
    expect(ping).not.toHaveBeenCalled();
    expect(onDead).not.toHaveBeenCalled();
  });

  it("that is quiet is asked every five seconds, and lives as long as it answers", async () => {
    const { line, ping, onDead, seconds } = watch();
    ping.mockImplementation(() => line.received++);
    await seconds(60);
    expect(ping.mock.calls.length).toBeGreaterThanOrEqual(9);
    expect(ping.mock.calls.length).toBeLessThanOrEqual(12);
    expect(onDead).not.toHaveBeenCalled();
  });

  it("that answers nothing is dead ten seconds after its last byte, once", async () => {
    const { line, ping, onDead, seconds } = watch();
    await seconds(3, () => line.received++);
    await seconds(9);
    expect(ping).toHaveBeenCalledTimes(1);
    expect(onDead).not.toHaveBeenCalled();
    await seconds(2);
    expect(onDead).toHaveBeenCalledTimes(1);
    expect(onDead.mock.calls[0]![0]).toBeGreaterThanOrEqual(10_000);
    await seconds(60);
    expect(onDead).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is no longer watched is left alone", async () => {
    const { stop, ping, onDead, seconds } = watch();
    stop();
    await seconds(60);
    expect(ping).not.toHaveBeenCalled();
    expect(onDead).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a connection whose answer is read in the last moment", () => {
  it("lives: timers run before what has arrived is read", async () => {
    const { line, onDead, seconds } = watch();
    // As the event loop has it: what has arrived is read between the timers and what they put off.
    const later = setImmediate;
    vi.stubGlobal("setImmediate", (callback: () => void) =>
      later(() => {
        line.received++;
        callback();
      }),
    );
    onTestFinished(() => void vi.unstubAllGlobals());
    await seconds(15);
    expect(line.received).toBe(1);
    expect(onDead).not.toHaveBeenCalled();
  });
});

describe("a busy connection over a slow line", () => {
  it("lives while what is queued leaves, though nothing arrives", async () => {
    const { line, onDead, seconds } = watch();
    line.queued = true;
    await seconds(120, () => (line.sent += 10_000));
    expect(onDead).not.toHaveBeenCalled();
  });

  it("gets time for what the kernel still holds", async () => {
    const { line, onDead, seconds } = watch();
    line.queued = true;
    await seconds(1, () => (line.sent += 2_000_000));
    line.queued = false;
    // Nothing arrives for 20 seconds, in which 64 KiB a second would not have carried the two megabytes.
    await seconds(20);
    expect(onDead).not.toHaveBeenCalled();
    line.received++;
    await seconds(9);
    expect(onDead).not.toHaveBeenCalled();
  });

  it("is dead within half a minute, when its queue stands still", async () => {
    const { line, onDead, seconds } = watch();
    line.queued = true;
    await seconds(1, () => (line.sent += 100_000_000));
    await seconds(29);
    expect(onDead).toHaveBeenCalledTimes(1);
  });

  it("is dead as soon as any other, half a minute after it was busy", async () => {
    const { line, onDead, seconds } = watch();
    line.sent += 100_000_000;
    await seconds(30, () => line.received++);
    await seconds(12);
    expect(onDead).toHaveBeenCalledTimes(1);
  });
});

describe("a machine that slept", () => {
  it("asks at once and waits two seconds, by the clock on the wall", async () => {
    const { line, ping, onDead, seconds } = watch();
    await seconds(2, () => line.received++);
    // Linux stops the monotonic clock, and with it all timers, while it sleeps.
    vi.setSystemTime(Date.now() + 600_000);
    await seconds(1);
    expect(ping).toHaveBeenCalledTimes(1);
    await seconds(3);
    expect(onDead).toHaveBeenCalledTimes(1);
  });

  it("keeps a connection that has survived", async () => {
    const { line, ping, onDead, seconds } = watch();
    ping.mockImplementation(() => line.received++);
    vi.setSystemTime(Date.now() + 600_000);
    await seconds(4);
    expect(ping).toHaveBeenCalledTimes(1);
    expect(onDead).not.toHaveBeenCalled();
  });

  it("is no reason to end a connection whose answer just lies unread", async () => {
    const { line, ping, onDead, seconds } = watch();
    await seconds(5);
    expect(ping).toHaveBeenCalledTimes(1);
    // Stopped for a minute after the question; what arrived is read after the timers have run.
    vi.setSystemTime(Date.now() + 60_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(onDead).not.toHaveBeenCalled();
    await seconds(1, () => line.received++);
    await seconds(3);
    expect(onDead).not.toHaveBeenCalled();
  });

  it("cares nothing about a clock that is set back", async () => {
    const { line, ping, seconds } = watch();
    await seconds(2, () => line.received++);
    vi.setSystemTime(Date.now() - 3_600_000);
    await seconds(2, () => line.received++);
    expect(ping).not.toHaveBeenCalled();
  });
});
