// A "no" that is meant for the client.
import type { ControlErrorCode } from "@expose/protocol";

/** Thrown when a request of a client is refused; both fields go over the wire. */
export class ControlRefusal extends Error {
  override name = "ControlRefusal";
  readonly code: ControlErrorCode;

  /** @param message what is refused, why, and what to do next; never another tenant's data */
  constructor(code: ControlErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
