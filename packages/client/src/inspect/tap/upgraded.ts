// What passes after an upgrade (RFC 9110 section 7.8) or a CONNECT.
import type { CaptureSink } from "../capture.ts";
import type { OpenCapture } from "./open-capture.ts";

/** Takes both directions of what a connection has become. Never throws. */
export interface UpgradedTap {
  fromVisitor(bytes: Buffer): void;
  fromUpstream(bytes: Buffer): void;
}

/** @param capture absent when the exchange passes unseen */
export function tapUpgraded(
  capture: OpenCapture | undefined,
  _sink: CaptureSink,
): UpgradedTap {
  return {
    fromVisitor: (bytes) => capture?.request.add(bytes),
    fromUpstream: (bytes) => capture?.response.add(bytes),
  };
}
