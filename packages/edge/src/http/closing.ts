// Stops the HTTP side in an orderly way. The order matters:
//
//   1. nobody new is accepted, and every answer from now on closes its connection
//   2. WebSockets are told to go away
//   3. idle connections get a moment, in which a request that was on its way is still served; then they are half-closed
//   4. at the deadline, whatever is left is cut off
//   5. when the last connection has closed, the connections through the tunnels are
import type { Server } from "node:http";
import net from "node:net";
import type { Engine } from "./engine.ts";

// How long idle connections stay open. An idle one that is closed at once answers a request that was on its way with a
// reset (nodejs/node#60617).
const IDLE_GRACE_MS = 1_000;

/** A stop that is under way. */
export interface Closing {
  /** Resolves when everything has closed. */
  readonly closed: Promise<void>;
  /** Brings the deadline forward to `deadlineMs` from now, if it was later. */
  by(deadlineMs: number): void;
}

/** Begins to stop. @param release called when everything has closed */
export function startClosing(
  engine: Engine,
  servers: readonly Server[],
  release: () => void,
): Closing {
  let deadlineAt = Number.POSITIVE_INFINITY;
  let deadlineTimer: NodeJS.Timeout | undefined;
  let idleTimer: NodeJS.Timeout | undefined;

  engine.draining = true;
  const closed = closeAll();
  for (const upgrade of engine.upgrades) upgrade.goAway();

  async function closeAll(): Promise<void> {
    await Promise.all(servers.map(stopAccepting));
    // A server counts a connection as gone before the connection itself says so.
    await Promise.all(
      [...engine.connections].map((each) => each.untilClosed()),
    );
    clearTimeout(deadlineTimer);
    clearTimeout(idleTimer);
    engine.tunnels.close();
    // Stops Node's timer for slow heads. The server itself is closed already, which it complains about.
    for (const server of servers) server.close(() => {});
    release();
  }

  function closeIdle(): void {
    for (const connection of engine.connections)
      if (connection.idle) connection.endGently();
  }

  function cutOff(): void {
    for (const connection of engine.connections) connection.destroy();
  }

  return {
    closed,
    by(deadlineMs) {
      const at = performance.now() + deadlineMs;
      if (at >= deadlineAt) return;
      deadlineAt = at;
      clearTimeout(deadlineTimer);
      clearTimeout(idleTimer);
      if (deadlineMs <= 0) return cutOff();
      // These timers are what the stop waits for, so they keep the process alive.
      deadlineTimer = setTimeout(cutOff, deadlineMs);
      idleTimer = setTimeout(
        closeIdle,
        Math.min(IDLE_GRACE_MS, deadlineMs / 2),
      );
    },
  };
}

// Node's own close() would destroy idle connections at once.
const stopAccepting = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    net.Server.prototype.close.call(server, () => resolve());
  });
