// Tells when the connection under the channels is full. ssh2 writes to it without looking (lib/client.js, onWrite).
import type { Duplex } from "node:stream";
import type { LinkPressure } from "@expose/protocol";

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
): LinkPressure {
  // A stream says `drain` only when it was filled above its own mark (2 MiB for a channel).
  const bound = Math.max(MAX_QUEUED_BYTES, stream.writableHighWaterMark);
  let waiting: (() => void)[] = [];
  const release = (): void => {
    const callbacks = waiting;
    waiting = [];
    for (const callback of callbacks) callback();
  };
  stream.on("drain", release);
  stream.on("close", release);

  const isFull = (): boolean => stream.writableLength >= bound;
  return {
    isFull: () => isFull() || below?.isFull() === true,
    onceDrained(callback) {
      if (!stream.destroyed && isFull()) waiting.push(callback);
      else if (below?.isFull()) below.onceDrained(callback);
      else process.nextTick(callback);
    },
  };
}
