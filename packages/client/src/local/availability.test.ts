// How a service that comes and goes is waited for. Dials are played here; upstream.test.ts makes real ones.
import { PassThrough, type Duplex } from "node:stream";
import { expect, test } from "vitest";
import { createAvailability, UpstreamDownError } from "./availability.ts";

const BRIDGE_MS = 400;
const forever = (): AbortSignal => new AbortController().signal;

test("one dial at a time tries for all that wait, and its connection goes to one of them", async () => {
  const service = new Service();
  const availability = service.availability(5_000);
  await availability.connect(forever());
  service.up = false;
  const waiting = Promise.all(
    Array.from({ length: 50 }, () => availability.connect(forever())),
  );
  // Each of them found out by itself; from then on there is one dial at a time.
  await expect.poll(() => service.dials).toBeGreaterThanOrEqual(51);
  expect(service.peak).toBe(50);
  service.peak = 0;
  await expect.poll(() => service.dials).toBeGreaterThanOrEqual(53);
  expect(service.peak).toBe(1);

  service.up = true;
  const streams = await waiting;
  expect(new Set(streams).size).toBe(50);
  expect(service.open).toBe(51);
  expect(service.states).toEqual([]);
});

test("all that wait are told when patience is at its end", async () => {
  const service = new Service();
  const availability = service.availability();
  await availability.connect(forever());
  service.up = false;
  const begin = performance.now();
  const early = expect(availability.connect(forever())).rejects.toThrow(
    UpstreamDownError,
  );
  await expect.poll(() => service.dials).toBeGreaterThan(2);
  await expect(availability.connect(forever())).rejects.toThrow(
    "Nothing listens.",
  );
  await early;
  expect(performance.now() - begin).toBeGreaterThanOrEqual(BRIDGE_MS - 1);
  expect(service.states).toEqual(["down: Nothing listens."]);
});

test("a service that is down is looked for by each visitor, once and at once", async () => {
  const service = new Service();
  service.up = false;
  const availability = service.availability();
  await expect(availability.connect(forever())).rejects.toThrow(
    "Nothing listens.",
  );
  const before = service.dials;
  const burst = Array.from({ length: 20 }, () =>
    availability.connect(forever()),
  );
  let rejected = 0;
  for (const attempt of burst) attempt.catch(() => rejected++);
  // Turns of the event loop and not milliseconds: a busy machine takes as many.
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  expect(rejected).toBe(20);
  expect(service.dials).toBe(before + 1);
  service.up = true;
  await availability.connect(forever());
  expect(service.dials).toBe(before + 2);
  expect(service.states).toEqual(["down: Nothing listens.", "up"]);
});

test("a reason that cannot pass is told at once, and a new reason is told again", async () => {
  const service = new Service();
  const availability = service.availability();
  await availability.connect(forever());
  service.passing = false;
  service.up = false;
  await expect(availability.connect(forever())).rejects.toThrow(
    "Nothing listens.",
  );
  expect(service.dials).toBe(2);
  service.reason = "The certificate has expired.";
  await expect(availability.connect(forever())).rejects.toThrow("expired");
  expect(service.states).toEqual([
    "down: Nothing listens.",
    "down: The certificate has expired.",
  ]);
  expect(availability.downReason).toBe("The certificate has expired.");
});

test("who leaves while waiting is told at once, and when nobody waits nobody dials", async () => {
  const service = new Service();
  const availability = service.availability(5_000);
  await availability.connect(forever());
  service.up = false;
  const leaving = [new AbortController(), new AbortController()];
  const attempts = leaving.map(({ signal }) => availability.connect(signal));
  await expect.poll(() => service.dials).toBeGreaterThanOrEqual(3);
  for (const [i, controller] of leaving.entries()) {
    controller.abort(new Error("left"));
    await expect(attempts[i]).rejects.toThrow("left");
  }
  const before = service.dials;
  service.up = true;
  const stream = await availability.connect(forever());
  expect(service.dials).toBe(before + 1);
  expect(service.open).toBe(2);
  stream.destroy();
  await expect(availability.connect(AbortSignal.abort())).rejects.toThrow(
    "aborted",
  );
  expect(service.dials).toBe(before + 1);
});

test("a dial that succeeds when nobody waits any more leaves no connection", async () => {
  const service = new Service();
  service.up = false;
  const availability = service.availability();
  await expect(availability.connect(forever())).rejects.toThrow(
    "Nothing listens.",
  );
  service.hold = true;
  service.up = true;
  const controller = new AbortController();
  const attempt = availability.connect(controller.signal);
  await expect.poll(() => service.held).toHaveLength(1);
  controller.abort(new Error("left"));
  // The system was faster than the one who left.
  service.held[0]!();
  await expect(attempt).rejects.toThrow("left");
  await expect.poll(() => service.open).toBe(0);
});

test("somebody who comes while an attempt is taken back is served by the next one", async () => {
  const service = new Service();
  service.up = false;
  const availability = service.availability();
  await expect(availability.connect(forever())).rejects.toThrow(
    "Nothing listens.",
  );
  const controller = new AbortController();
  const first = availability.connect(controller.signal);
  controller.abort(new Error("left"));
  service.up = true;
  const second = availability.connect(forever());
  await expect(first).rejects.toThrow("left");
  expect(await second).toBeInstanceOf(PassThrough);
});

/** A service that is there or not, as the test says. */
class Service {
  up = true;
  passing = true;
  hold = false;
  reason = "Nothing listens.";
  dials = 0;
  open = 0;
  /** Dials that were under way together, at most. */
  peak = 0;
  readonly held: (() => void)[] = [];
  readonly states: string[] = [];
  #running = 0;

  availability(bridgeMs = BRIDGE_MS) {
    return createAvailability({
      dial: (signal) => this.#dial(signal),
      explain: () => ({ reason: this.reason, passing: this.passing }),
      bridgeMs,
      onChange: (state, reason) =>
        this.states.push(reason ? `${state}: ${reason}` : state),
    });
  }

  async #dial(signal: AbortSignal): Promise<Duplex> {
    this.dials++;
    this.peak = Math.max(this.peak, ++this.#running);
    await (this.hold
      ? new Promise<void>((resolve) => this.held.push(resolve))
      : new Promise(setImmediate));
    this.#running--;
    if (!this.hold) signal.throwIfAborted();
    if (!this.up) throw new Error("refused");
    const stream = new PassThrough();
    this.open++;
    stream.on("close", () => this.open--);
    return stream;
  }
}
