// Keeps one SSH connection up for forwards that need no edge: opened once, and opened again for ever when it is lost.
import { ExposeError } from "./errors.ts";
import {
  HEALTHY_AFTER_MS,
  isHopeless,
  isNetworkAway,
  nextDelayMs,
} from "./ssh/backoff.ts";
import type { SessionState, TunnelEvents } from "./tunnel.ts";

/** What is kept up: a connection with whatever was opened over it. */
export interface Keepable {
  /** Calls back once, with the error that ended it unless close() did. */
  onceClosed(callback: (error: ExposeError | undefined) => void): void;
  /** @param error what made its owner end it; absent when nothing is wrong */
  close(error?: ExposeError): Promise<void>;
}

/** How to keep it up, and who hears of it. */
export interface KeepOptions<C> {
  /**
   * Connects and opens what is wanted over the connection.
   * @param timeouts limits for one look at a network that may be away; absent the first time
   */
  connect(
    signal: AbortSignal,
    timeouts: typeof LOOK_TIMEOUTS | undefined,
  ): Promise<C>;
  onReconnecting(info: TunnelEvents["reconnecting"][0]): void;
  onReconnected(info: { downMs: number }): void;
  /** Last call. `error` is absent after close(). */
  onClosed(error: ExposeError | undefined): void;
  /** Ends it, and a connection attempt that is under way. */
  signal?: AbortSignal | undefined;
}

/** See the file's head. */
export interface KeptConnection<C> {
  readonly state: SessionState;
  /** Undefined while it is down. */
  readonly current: C | undefined;
  /** Ends it for good. Idempotent; never throws. @param error for onClosed(), when something made it necessary */
  close(error?: ExposeError): Promise<void>;
}

// One look at a network that may be away: the first SYN and one that the kernel sends again after a second. Once a
// server has answered it gets the time that it needs.
const LOOK_TIMEOUTS = { connectMs: 2_500, loginMs: 20_000 };

/**
 * Connects, and from then on reconnects by itself. The first attempt is not repeated: what is wrong is said at once.
 *
 * @throws ExposeError what `connect` throws, or `aborted`
 */
export async function keepConnection<C extends Keepable>(
  options: KeepOptions<C>,
): Promise<KeptConnection<C>> {
  const stop = new AbortController();
  let state: SessionState = "connecting";
  let current: C | undefined;
  let attempt = 0;
  let ending: Promise<void> | undefined;

  async function connect(timeouts?: typeof LOOK_TIMEOUTS): Promise<void> {
    const opened = await options.connect(stop.signal, timeouts);
    if (stop.signal.aborted) {
      await opened.close();
      throw new ExposeError("aborted", "The connection was closed meanwhile.");
    }
    const openedAt = performance.now();
    current = opened;
    state = "online";
    opened.onceClosed((error) => {
      current = undefined;
      if (stop.signal.aborted) return;
      if (performance.now() - openedAt >= HEALTHY_AFTER_MS) attempt = 0;
      void reconnect(error ?? lost("the server closed it"));
    });
  }

  async function reconnect(cause: ExposeError): Promise<void> {
    const lostAt = performance.now();
    state = "reconnecting";
    let error = cause;
    for (;;) {
      if (isHopeless(error)) return end(error);
      attempt++;
      const delayMs = nextDelayMs(attempt, error, Math.random());
      options.onReconnecting({ attempt, delayMs, error });
      try {
        await pause(delayMs, stop.signal);
        await connect(LOOK_TIMEOUTS);
        break;
      } catch (failure) {
        if (stop.signal.aborted) return;
        error =
          failure instanceof ExposeError ? failure : lost(String(failure));
        // Looks at a network that is away are no attempts at a server: the short delays are for when it is back.
        if (isNetworkAway(error)) attempt = Math.min(attempt, 1);
      }
    }
    // Lost again before it was handed over: whoever noticed is at it already.
    if (current === undefined) return;
    options.onReconnected({ downMs: performance.now() - lostAt });
  }

  function end(error: ExposeError | undefined): Promise<void> {
    ending ??= endOnce(error);
    return ending;
  }

  async function endOnce(error: ExposeError | undefined): Promise<void> {
    state = "closed";
    stop.abort();
    options.signal?.removeEventListener("abort", abort);
    await current?.close(error);
    current = undefined;
    options.onClosed(error);
  }

  function abort(): void {
    void end(undefined);
  }

  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted) stop.abort();
  try {
    await connect();
  } catch (error) {
    options.signal?.removeEventListener("abort", abort);
    if (options.signal?.aborted)
      throw new ExposeError("aborted", "It was ended by its caller.", {
        cause: error,
      });
    throw error;
  }
  return {
    get state() {
      return state;
    },
    get current() {
      return current;
    },
    close: (error) => end(error),
  };
}

// The timer is a reason to live: a client that waits for its server is not done.
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(new ExposeError("aborted", "It was ended while it waited."));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

const lost = (how: string): ExposeError =>
  new ExposeError("connection-lost", `The SSH connection ended: ${how}.`);
