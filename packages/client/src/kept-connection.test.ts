import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ExposeError } from "./errors.ts";
import { keepConnection, type Keepable } from "./kept-connection.ts";

beforeEach(() => {
  vi.useFakeTimers();
  // The whole of each delay.
  vi.spyOn(Math, "random").mockReturnValue(0.999);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

class FakeConnection implements Keepable {
  closes = 0;
  #callback: (error: ExposeError | undefined) => void = () => {};
  onceClosed(callback: (error: ExposeError | undefined) => void): void {
    this.#callback = callback;
  }
  async close(): Promise<void> {
    this.closes++;
    this.#callback(undefined);
  }
  lose(): void {
    this.#callback(new ExposeError("connection-lost", "It was lost."));
  }
}

const refused = new ExposeError("server-unreachable", "It was refused.", {
  cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }),
});

/** Keeps a connection whose attempts end as the list says; the last entry holds for all that follow. */
async function keep(
  outcomes: (FakeConnection | ExposeError)[],
  signal?: AbortSignal,
) {
  const events: string[] = [];
  let attempts = 0;
  const kept = await keepConnection<FakeConnection>({
    connect: async (stop) => {
      stop.throwIfAborted();
      const outcome = outcomes[Math.min(attempts++, outcomes.length - 1)]!;
      if (outcome instanceof ExposeError) throw outcome;
      return outcome;
    },
    onReconnecting: ({ attempt, delayMs }) =>
      events.push(`try ${attempt} in ${delayMs}`),
    onReconnected: () => events.push("back"),
    onClosed: (error) => events.push(`closed ${error?.code ?? "as asked"}`),
    signal,
  });
  return { kept, events, attempts: () => attempts };
}

test("the first failure is said at once and not repeated", async () => {
  await expect(keep([refused])).rejects.toBe(refused);
});

test("a lost connection is opened again for ever, with growing delays", async () => {
  const [first, second] = [new FakeConnection(), new FakeConnection()];
  const { kept, events } = await keep([
    first,
    ...[refused, refused, refused, refused, refused, refused, refused, refused],
    second,
  ]);
  first.lose();
  expect(kept.state).toBe("reconnecting");
  expect(kept.current).toBeUndefined();
  await vi.advanceTimersByTimeAsync(200_000);
  expect(kept.state).toBe("online");
  expect(kept.current).toBe(second);
  expect(events).toEqual([
    ...["try 1 in 500", "try 2 in 999", "try 3 in 1998", "try 4 in 3996"],
    ...["try 5 in 7992", "try 6 in 15984", "try 7 in 29970"],
    ...["try 8 in 29970", "try 9 in 29970", "back"],
  ]);
});

test("a connection that is lost before it was handed over is not called back", async () => {
  const [first, third] = [new FakeConnection(), new FakeConnection()];
  const stillborn = new FakeConnection();
  stillborn.onceClosed = (callback) =>
    callback(new ExposeError("connection-lost", "It was lost."));
  const { kept, events } = await keep([first, stillborn, third]);
  first.lose();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(kept.current).toBe(third);
  expect(events).toEqual(["try 1 in 500", "try 2 in 999", "back"]);
});

test("a minute of health makes the next loss a new story", async () => {
  const connections = [
    new FakeConnection(),
    new FakeConnection(),
    new FakeConnection(),
  ];
  const { events } = await keep(connections);
  connections[0]!.lose();
  await vi.advanceTimersByTimeAsync(1_000);
  connections[1]!.lose();
  expect(events.at(-1)).toBe("try 2 in 999");
  await vi.advanceTimersByTimeAsync(1_000 + 60_000);
  connections[2]!.lose();
  expect(events.at(-1)).toBe("try 1 in 500");
});

test("what only a person can mend ends it", async () => {
  const first = new FakeConnection();
  const { kept, events } = await keep([
    first,
    new ExposeError("host-key-changed", "Another key."),
  ]);
  first.lose();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(kept.state).toBe("closed");
  expect(events.at(-1)).toBe("closed host-key-changed");
  expect(vi.getTimerCount()).toBe(0);
});

test("close() ends it once, also while it waits for the next attempt", async () => {
  const first = new FakeConnection();
  const { kept, events, attempts } = await keep([first, refused]);
  first.lose();
  await Promise.all([kept.close(), kept.close()]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(kept.state).toBe("closed");
  expect(events).toEqual(["try 1 in 500", "closed as asked"]);
  expect(attempts()).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("the caller's signal ends it, and no listener is left on it", async () => {
  const controller = new AbortController();
  const connection = new FakeConnection();
  const remove = vi.spyOn(controller.signal, "removeEventListener");
  const { kept, events } = await keep([connection], controller.signal);
  controller.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(kept.state).toBe("closed");
  expect(connection.closes).toBe(1);
  expect(events).toEqual(["closed as asked"]);
  expect(remove).toHaveBeenCalled();
});

test("a signal that has fired already ends it as aborted", async () => {
  await expect(
    keep([new FakeConnection()], AbortSignal.abort()),
  ).rejects.toMatchObject({
    code: "aborted",
  });
});
