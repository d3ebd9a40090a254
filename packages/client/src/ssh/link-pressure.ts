// Tells when the connection under the channels is full. ssh2 writes to it without looking (lib/client.js, onWrite).
import type { Duplex } from "node:stream";
import {
  createFairLink,
  type FairLink,
  type LinkPressure,
} from "@expose/protocol";

// More than a fast line needs between two turns of the event loop, and little enough that a small request behind it
// waits for tenths of a second on a slow one.
const MAX_QUEUED_BYTES = 256 * 1024;

/**
 * Watches what `stream` has queued.
 *
 * @param below the link that carries `stream`, when that is itself a channel
 */
export function watchPressure(
  stream: Duplex,
  below: LinkPressure | undefined,
): FairLink {
  // A stream says `drain` only when it was filled above its own mark.
  const bound = Math.max(MAX_QUEUED_BYTES, stream.writableHighWaterMark);
  const link = createFairLink(() => bound - stream.writableLength, below);
  stream.on("drain", link.wake);
  stream.on("close", link.close);
  return link;
}
