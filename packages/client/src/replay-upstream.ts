// Dials a local service that no open tunnel leads to, for a replay.
import { formatUpstreamSpec, type UpstreamSpec } from "@expose/protocol";
import { ExposeError } from "./errors.ts";
import type { DialledUpstream } from "./inspect/server/inspected.ts";
import { createDialer } from "./local/dial.ts";
import { explainDialError } from "./local/dial-error.ts";
import { leadsToOwnInspector } from "./own-inspector.ts";

/** Prepares to dial. Nothing is dialled yet. */
export function openReplayUpstream(spec: UpstreamSpec): DialledUpstream {
  const dialer = createDialer(spec, undefined);
  return {
    label: formatUpstreamSpec(spec),
    async dial(signal) {
      try {
        const stream = await dialer.dial(signal);
        if (!leadsToOwnInspector(stream)) return stream;
        stream.destroy();
      } catch (error) {
        signal.throwIfAborted();
        throw new ExposeError(
          "upstream-invalid",
          explainDialError(spec, error).reason,
          { cause: error },
        );
      }
      throw new ExposeError(
        "upstream-invalid",
        `${formatUpstreamSpec(spec)} is an inspector of expose.`,
      );
    },
    close: () => dialer.close(),
  };
}
