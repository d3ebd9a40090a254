// What ends first when a client is lost: its connections, its forward, its session. The edge hears of them in any order.
import type { Tunnel } from "../routes/tunnel.ts";
import { guarded } from "./guard.ts";
import type { Visit } from "./visit.ts";

// How far apart the end of a connection and the end of its session may be.
const LAST_WORD_MS = 100;

/** Calls back once, when the tunnel closes or after `lateMs`, whichever is sooner. */
export function onceClosedOrLate(
  tunnel: Tunnel,
  lateMs: number,
  callback: () => void,
): void {
  const patience = setTimeout(go, lateMs);
  patience.unref();
  let forget = (): void => {};
  forget = tunnel.onceClosed(go);

  function go(): void {
    clearTimeout(patience);
    forget();
    callback();
  }
}

/**
 * A connection has ended as if nobody listened behind it. So do those of a client that is lost, through sshd, a moment before
 * the tunnel closes.
 *
 * @param decide called when the client has said that nobody listens, the tunnel has closed, or neither happens in time; not
 *   when the visit is over by then
 */
export function onceSureOfUpstream(visit: Visit, decide: () => void): void {
  const { tunnel } = visit.tunnel!;
  if (tunnel.closed || tunnel.upstreamDown) return decide();
  onceClosedOrLate(tunnel, LAST_WORD_MS, () =>
    guarded(visit.engine, () => {
      if (!visit.over) decide();
    }),
  );
}
