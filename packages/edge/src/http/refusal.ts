// Why the edge itself answers a request, as the phases tell one another.
import type { VisitorErrorCode } from "@expose/protocol";

/** A "no" for a visitor. */
export interface Refusal {
  readonly code: VisitorErrorCode;
  /** Other than the code's usual one. */
  readonly status?: number;
  /** Makes the general sentence more exact. Never holds what a request or an upstream said. */
  readonly detail?: string;
  /** Seconds. */
  readonly retryAfterS?: number;
}
