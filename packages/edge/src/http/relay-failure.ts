// What becomes of a request whose connection through the tunnel failed before the answer was complete.
import type { Refusal } from "./refusal.ts";
import type { ConnectionFailure } from "./upstream-connection.ts";

/** What is known of the attempt that failed. */
export interface FailedAttempt {
  readonly failure: ConnectionFailure;
  /** Whether a byte of an answer came. */
  readonly answered: boolean;
  /** Whether the connection had served a request before this one. */
  readonly served: boolean;
  /** Whether it was opened before anybody needed it. */
  readonly spare: boolean;
  /** Whether the request may be sent twice: it changes nothing, and has no body. */
  readonly repeatable: boolean;
  /** Whether it was sent twice already, and whether its tunnel was looked up again. */
  readonly retried: boolean;
  readonly rerouted: boolean;
  /** Whether the tunnel or its forward has ended. */
  readonly tunnelGone: boolean;
}

/**
 * Decides what to do next.
 *
 * @returns `again`: send it on a fresh connection; `reroute`: send it wherever its name leads to in a moment; else what to
 *   answer
 */
export function decideFailure(
  attempt: FailedAttempt,
): "again" | "reroute" | Refusal {
  const { failure, served, repeatable, retried } = attempt;
  if (failure === "bug") return { code: "edge-error" };
  if (failure === "invalid") return { code: "upstream-invalid" };
  if (attempt.answered) return { code: "upstream-closed" };
  // RFC 9110 section 9.2.2, narrowed: exactly once, when the connection may have been closing already as the request
  // went out, and only what changes nothing.
  if (repeatable && !retried && (served || attempt.spare)) return "again";
  if (attempt.tunnelGone)
    return repeatable && !attempt.rerouted
      ? "reroute"
      : { code: "forward-failed", retryAfterS: 1 };
  // Nothing came back on a connection that had served nobody: there is no one behind it.
  return { code: served ? "upstream-closed" : "upstream-down" };
}
