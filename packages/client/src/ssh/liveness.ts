// Tells a dead connection from a quiet or a busy one, by the bytes that arrive.

/** What is watched. Both counters only rise. */
export interface Vitals {
  bytesReceived(): number;
  /** Bytes that have left this process, and whether more are waiting to. */
  bytesSent(): number;
  hasQueue(): boolean;
}

/** How long to wait, in milliseconds. */
export interface LivenessTimes {
  /** Silence after which the server is asked for a sign of life. */
  idleMs: number;
  /** Silence after that, after which the connection counts as dead. */
  deadMs: number;
  /** In place of `deadMs` after the machine was suspended: then the connection is probably gone. */
  wakeMs: number;
}

/** Times that find a dead connection within ten seconds and cost a packet every five. */
export const DEFAULT_LIVENESS: LivenessTimes = {
  idleMs: 5_000,
  deadMs: 5_000,
  wakeMs: 2_000,
};

const TICK_MS = 1_000;
// A tick that is this late was not held up by work: the machine slept, or the process was stopped.
const ASLEEP_MS = 2_000;
// A question waits behind what was sent before it, in buffers of the kernel and of routers that nobody can see into.
// So it gets the time that a line as slow as this would take, within a bound.
const SLOWEST_BYTES_PER_SECOND = 64 * 1024;
const MAX_PATIENCE_MS = 20_000;

/**
 * Watches a connection until it is dead or the returned function is called.
 *
 * @param ping asks the server for a sign of life; any byte counts as one
 * @param onDead called once, with the length of the silence
 * @returns stops the watch
 */
export function watchLiveness(
  vitals: Vitals,
  times: LivenessTimes,
  ping: () => void,
  onDead: (silentMs: number) => void,
): () => void {
  let received = vitals.bytesReceived();
  let sent = vitals.bytesSent();
  let hadQueue = false;
  // Milliseconds that a very slow line would need for what may still be under way.
  let patienceMs = 0;
  let lastTick = performance.now();
  let lastWall = Date.now();
  let quietSince = lastTick;
  let asked: { at: number; limitMs: number } | undefined;

  const timer = setInterval(tick, Math.min(TICK_MS, times.idleMs / 2));
  timer.unref();
  return () => clearInterval(timer);

  function tick(): void {
    const now = performance.now();
    const wall = Date.now();
    // A suspended machine stops the monotonic clock on some systems, and the other one on none.
    const elapsedMs = Math.max(now - lastTick, wall - lastWall);
    const asleep = elapsedMs > TICK_MS + ASLEEP_MS;
    lastTick = now;
    lastWall = wall;
    patienceMs = Math.max(0, patienceMs - elapsedMs);
    look(now);
    if (asleep) {
      ask(now, times.wakeMs);
    } else if (!asked) {
      if (now - quietSince >= times.idleMs) ask(now, times.deadMs);
    } else if (now - asked.at >= asked.limitMs) {
      // What arrived while the process was busy has not been read yet when timers run.
      setImmediate(() => {
        look(performance.now());
        if (!asked) return;
        clearInterval(timer);
        onDead(Math.round(performance.now() - quietSince));
      });
    }
  }

  function look(now: number): void {
    const receivedNow = vitals.bytesReceived();
    const sentNow = vitals.bytesSent();
    // A queue that moves is a sign of life as well: the kernel takes more only when the other side has confirmed some.
    const alive = receivedNow !== received || (hadQueue && sentNow !== sent);
    patienceMs = Math.min(
      MAX_PATIENCE_MS,
      patienceMs + ((sentNow - sent) / SLOWEST_BYTES_PER_SECOND) * 1_000,
    );
    received = receivedNow;
    sent = sentNow;
    hadQueue = vitals.hasQueue();
    if (alive) {
      quietSince = now;
      asked = undefined;
    }
  }

  function ask(now: number, limitMs: number): void {
    asked = { at: now, limitMs: limitMs + patienceMs };
    ping();
  }
}
