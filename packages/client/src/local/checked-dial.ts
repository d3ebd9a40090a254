// Hangs up on what a connection must not lead to. What a name leads to is known only when it has been dialled.
import type { Duplex } from "node:stream";
import type { Dial } from "./dial.ts";

/** The dial led to where no visitor may get. */
export class ForbiddenUpstreamError extends Error {
  override name = "ForbiddenUpstreamError";
}

/** Dials, and lets go of connections that `isForbidden` says so of. @throws ForbiddenUpstreamError, and what `dial` throws */
export function createCheckedDial(
  dial: Dial,
  isForbidden: (stream: Duplex) => boolean,
): Dial {
  return async (signal) => {
    const stream = await dial(signal);
    if (!isForbidden(stream)) return stream;
    stream.destroy();
    throw new ForbiddenUpstreamError("No visitor may get there.");
  };
}
