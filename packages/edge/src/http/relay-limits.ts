// What is due when nothing has moved in a request for a while.
import type { HttpTimeouts } from "./limits.ts";
import type { Refusal } from "./refusal.ts";

/** How far a request has come. */
export interface RelayState {
  /** For how long nothing has moved, milliseconds. */
  readonly quietMs: number;
  /** Whether it has a connection to its upstream. */
  readonly connected: boolean;
  /** Whether it has none because others have them. */
  readonly crowded: boolean;
  /** Whether its body waits for 100 Continue. */
  readonly awaitsContinue: boolean;
  /** Whether it is the visitor's turn to send more of the body. */
  readonly awaitsBody: boolean;
  /** Whether the answer has begun. */
  readonly answered: boolean;
  /** Whether the answer stands still because its visitor does not read. */
  readonly held: boolean;
}

/**
 * Decides by the limit that holds for where the request is.
 *
 * @returns how it ends, `continue` when the visitor must not wait for the upstream's 100 any longer, undefined for nothing
 */
export function decideDue(
  state: RelayState,
  timeouts: HttpTimeouts,
): Refusal | "continue" | undefined {
  const { quietMs } = state;
  if (!state.connected) {
    if (quietMs <= timeouts.connectMs) return undefined;
    return {
      code: state.crowded ? "tunnel-busy" : "forward-failed",
      retryAfterS: 1,
    };
  }
  if (!state.answered && state.awaitsContinue)
    return quietMs > timeouts.continueMs ? "continue" : undefined;
  if (!state.answered && state.awaitsBody)
    return quietMs > timeouts.requestIdleMs
      ? { code: "request-timeout" }
      : undefined;
  const limitMs = state.answered
    ? timeouts.responseIdleMs
    : timeouts.firstByteMs;
  return limitMs > 0 && quietMs > limitMs && !state.held
    ? { code: "upstream-timeout" }
    : undefined;
}
