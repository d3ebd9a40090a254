// Turns what the caller said about the local service into one spec.
import {
  parseUpstreamSpec,
  UpstreamSpecError,
  type UpstreamSpec,
} from "@expose/protocol";
import { ExposeError } from "./errors.ts";
import type { TunnelOptions } from "./options.ts";

/** @throws ExposeError `upstream-invalid` when nothing, both, or nonsense was given */
export function resolveUpstreamSpec(
  options: Pick<TunnelOptions, "port" | "upstream">,
): UpstreamSpec {
  const { port, upstream } = options;
  if ((port === undefined) === (upstream === undefined))
    throw new ExposeError(
      "upstream-invalid",
      "Say where the tunnel leads with either `port` or `upstream`.",
    );
  if (typeof upstream === "object") return upstream;
  try {
    return parseUpstreamSpec(upstream ?? String(port));
  } catch (error) {
    if (!(error instanceof UpstreamSpecError)) throw error;
    throw new ExposeError("upstream-invalid", error.message, { cause: error });
  }
}
