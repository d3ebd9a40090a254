// Whether the local service answers: bridges its short restarts, and finds out when it is back.
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dial } from "./dial.ts";
import type { DialFailure } from "./dial-error.ts";
import { asError } from "./socket.ts";

/** Whether the local service answers, as far as its last connection tells; assumed `up` until one fails. */
export type UpstreamState = "up" | "down";

/** Settings of {@link createAvailability}. */
export interface AvailabilityOptions {
  dial: Dial;
  explain: (error: unknown) => DialFailure;
  /** How long a service that was up may be gone before connections to it fail, from its first refusal. */
  bridgeMs: number;
  /** Called on each change of state, and when another reason holds, before whoever waits is told. */
  onChange: (state: UpstreamState, reason: string | undefined) => void;
}

/** Connections to a service that may be away. */
export interface Availability {
  /**
   * Opens a connection, waiting for a service that has just gone away. While it is away one dial at a time tries for
   * all that wait.
   *
   * @throws UpstreamDownError when the service is down, the signal's reason once it fires
   */
  connect: Dial;
  readonly state: UpstreamState;
  /** One sentence of ours; undefined while the state is `up`. */
  readonly downReason: string | undefined;
}

/** The service is down; the message is the sentence for the error page. */
export class UpstreamDownError extends Error {
  override name = "UpstreamDownError";
}

// A dev server takes longer than this to restart, and nobody notices a fifth of a second.
const RETRY_EVERY_MS = 150;
// Who has just typed `expose 8080` and starts the app next should not wait long for the page that says so.
const FIRST_PATIENCE_MS = 500;

/** Nothing is dialled before the first connection is wanted, nor when nobody waits: there is nothing to close. */
export function createAvailability(options: AvailabilityOptions): Availability {
  const { dial, explain, bridgeMs, onChange } = options;
  const waiters = new Set<Waiter>();
  let state: UpstreamState = "up";
  let downReason: string | undefined;
  let wasUp = false;
  /** First refusal since the last success, on performance.now()'s clock: a changed wall clock changes nothing. */
  let failingSince: number | undefined;
  let lastFailure = 0;
  let probe: AbortController | undefined;

  async function connect(signal: AbortSignal): Promise<Duplex> {
    for (;;) {
      signal.throwIfAborted();
      if (failingSince === undefined) {
        try {
          const stream = await dial(signal);
          answered();
          return stream;
        } catch (error) {
          signal.throwIfAborted();
          const reason = refused(error);
          if (reason !== undefined) throw down(reason, error);
        }
      }
      const stream = await waitForProbe(signal);
      if (stream) return stream;
    }
  }

  function answered(): void {
    wasUp = true;
    failingSince = undefined;
    change("up", undefined);
  }

  /** @returns the reason when patience is at its end */
  function refused(error: unknown): string | undefined {
    const { reason, passing } = explain(error);
    lastFailure = performance.now();
    if (passing) {
      failingSince ??= lastFailure;
      if (lastFailure < deadline()) return undefined;
    }
    change("down", reason);
    return reason;
  }

  const deadline = (): number =>
    (failingSince ?? 0) + (wasUp ? bridgeMs : FIRST_PATIENCE_MS);

  function change(to: UpstreamState, reason: string | undefined): void {
    if (state === to && downReason === reason) return;
    state = to;
    downReason = reason;
    onChange(to, reason);
  }

  /** Resolves with a connection for one of those that wait, and with undefined for the rest, who dial themselves. */
  function waitForProbe(signal: AbortSignal): Promise<Duplex | undefined> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        waiters.delete(waiter);
        reject(asError(signal.reason));
        if (waiters.size === 0) probe?.abort();
      };
      const settle = (act: () => void): void => {
        signal.removeEventListener("abort", onAbort);
        act();
      };
      const waiter: Waiter = {
        resolve: (stream) => settle(() => resolve(stream)),
        reject: (error) => settle(() => reject(error)),
      };
      signal.addEventListener("abort", onAbort, { once: true });
      waiters.add(waiter);
      if (!probe) void runProbe();
    });
  }

  async function runProbe(): Promise<void> {
    while (waiters.size > 0) {
      const own = new AbortController();
      probe = own;
      try {
        await pause(own.signal);
        const stream = await dial(own.signal);
        answered();
        hand(stream);
      } catch (error) {
        // Nobody waits any more, or somebody new who came while this attempt was taken back.
        if (own.signal.aborted) continue;
        const reason = refused(error);
        if (reason !== undefined) rejectAll(down(reason, error));
      }
    }
    probe = undefined;
  }

  // A service that has been down for long is tried at once, since its next visitor may be the first after its start.
  async function pause(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const until = Math.min(lastFailure + RETRY_EVERY_MS, deadline());
    if (failingSince !== undefined && until > now)
      await sleep(until - now, undefined, { signal, ref: false });
  }

  function hand(stream: Duplex): void {
    const [first, ...rest] = waiters;
    waiters.clear();
    if (first) first.resolve(stream);
    else stream.destroy();
    for (const waiter of rest) waiter.resolve(undefined);
  }

  function rejectAll(error: Error): void {
    for (const waiter of waiters) waiter.reject(error);
    waiters.clear();
  }

  return {
    connect,
    get state() {
      return state;
    },
    get downReason() {
      return downReason;
    },
  };
}

interface Waiter {
  resolve(stream: Duplex | undefined): void;
  reject(error: Error): void;
}

const down = (reason: string, cause: unknown): UpstreamDownError =>
  new UpstreamDownError(reason, { cause });
