// Makes ssh2's channels behave as sockets do. Untouched they send an aborted message to its reader as a complete one,
// never report `close` while paused, swallow the callbacks of writes that come too late, and ignore the error that
// destroy() is given.
import { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import {
  boundQueues,
  isClosedByPeer,
  takeWaitingWrite,
  tuneChannels,
} from "./inside-ssh2.ts";

/**
 * Patches one channel in place; nothing is copied, and a chunk that arrives costs one call more. Afterwards:
 *
 * - `end()` half-closes; what the peer still sends arrives.
 * - `destroy(error)` closes the channel at once, and `close` follows exactly once, whatever the peer does.
 * - A peer that closes without having ended its side (or a lost connection) gives `close` without `end`.
 * - Little is queued on top of the window, in either direction.
 * - Writes that were not sent when the channel closes fail, those that wait for the peer's window included.
 *
 * Call it in the tick in which ssh2 handed the channel out.
 *
 * @param kind a `command` ends and closes as ssh2 has it, because its exit status comes between the two
 */
export function tameChannel(
  channel: ClientChannel,
  kind: "connection" | "command",
): void {
  tuneChannels(channel);
  if (kind === "connection") boundQueues(channel, QUEUE_BYTES);
  const { push } = channel;
  let ended = false;
  let closed = false;

  // ssh2's own listeners mark the stream as never readable when it closes, and pipeline() and finished() then take a
  // cut stream for a complete one. Nobody else can have listened yet.
  channel.removeAllListeners("end");
  channel.removeAllListeners("close");

  // ssh2 overrides destroy() with end() and close().
  channel.destroy = Duplex.prototype.destroy as typeof channel.destroy;
  channel._destroy = (error, done) => {
    takeWaitingWrite(channel)?.(error ?? closedError());
    // A command that has said all still has to say how it ended, and closes the channel itself.
    if (kind === "command" && channel.readableEnded && channel.writableEnded)
      return done(error);
    channel.close();
    if (kind === "command") channel.stderr.destroy();
    done(error);
    process.nextTick(() => {
      if (!closed) channel.emit("close");
    });
  };
  channel.once("close", () => {
    closed = true;
    // ssh2 reports `close` again when the peer's CHANNEL_CLOSE arrives.
    channel.emit = (event: string | symbol, ...args: unknown[]): boolean =>
      event !== "close" && Duplex.prototype.emit.call(channel, event, ...args);
    channel.destroy();
  });

  channel.push = (chunk) => {
    if (chunk !== null) return push.call(channel, chunk);
    if (ended) return false;
    ended = true;
    if (kind === "connection" && isClosedByPeer(channel)) {
      // Closed without an end: an abort. As an end it would make half a message look whole.
      channel.destroy();
      return false;
    }
    push.call(channel, null);
    // As node:net does: without it the end of a stream that nobody reads is never noticed. Later, so that whoever is
    // just being handed the channel can listen first.
    if (kind === "connection" && channel.readableFlowing !== true)
      setImmediate(() => channel.read(0));
    return false;
  };
}

// Enough to keep a channel busy, because only what the window does not let through waits here. With ssh2's 2 MiB, 256
// visitors who asked for something big and read nothing of it took half a gigabyte of the client's memory.
const QUEUE_BYTES = 256 * 1024;

const closedError = (): Error =>
  Object.assign(new Error("The channel is closed."), { code: "EPIPE" });
