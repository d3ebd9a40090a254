// Makes ssh2's channels behave as sockets do. Untouched they send an aborted message to its reader as a complete one,
// never report `close` while paused, swallow the callbacks of writes that come too late, and ignore the error that
// destroy() is given.
import { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import {
  boundQueues,
  dropStderr,
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
  if (kind === "connection") {
    boundQueues(channel, QUEUE_BYTES);
    dropStderr(channel);
  }
  // ssh2's own listeners mark the stream as never readable when it closes, and pipeline() and finished() then take a
  // cut stream for a complete one. Nobody else can have listened yet. Each by itself: taking away all listeners of an
  // event makes a dictionary of the table of listeners, which takes 450 bytes more for as long as the channel lives.
  for (const event of ["end", "close"])
    for (const listener of channel.listeners(event))
      channel.off(event, listener as () => void);

  const tamed = channel as TamedChannel;
  tamed[STATE] = { kind, push: channel.push, ended: false, closed: false };
  // ssh2 overrides destroy() with end() and close().
  tamed.destroy = Duplex.prototype.destroy as TamedChannel["destroy"];
  tamed._destroy = destroyAndClose;
  tamed.push = pushOrCut;
  tamed.on("close", closeOnce);
}

// Functions that all channels share, and a few words for each: closures of its own would take a kilobyte of every idle one.
interface TamedChannel extends ClientChannel {
  [STATE]: TameState;
}

interface TameState {
  readonly kind: "connection" | "command";
  readonly push: ClientChannel["push"];
  /** The peer has ended its side. */
  ended: boolean;
  /** `close` was reported. */
  closed: boolean;
}

const STATE = Symbol("tame state");

function destroyAndClose(
  this: TamedChannel,
  error: Error | null,
  done: (error?: Error | null) => void,
): void {
  const state = this[STATE];
  takeWaitingWrite(this)?.(error ?? closedError());
  // A command that has said all still has to say how it ended, and closes the channel itself.
  if (state.kind === "command" && this.readableEnded && this.writableEnded)
    return done(error);
  this.close();
  if (state.kind === "command") this.stderr.destroy();
  done(error);
  process.nextTick(() => {
    if (!state.closed) this.emit("close");
  });
}

function closeOnce(this: TamedChannel): void {
  this[STATE].closed = true;
  // ssh2 reports `close` again when the peer's CHANNEL_CLOSE arrives.
  this.emit = emitNoClose;
  this.destroy();
}

function emitNoClose(
  this: TamedChannel,
  event: string | symbol,
  ...args: unknown[]
): boolean {
  return event !== "close" && Duplex.prototype.emit.call(this, event, ...args);
}

function pushOrCut(this: TamedChannel, chunk: unknown): boolean {
  const state = this[STATE];
  if (chunk !== null) return state.push.call(this, chunk);
  if (state.ended) return false;
  state.ended = true;
  if (state.kind === "connection" && isClosedByPeer(this)) {
    // Closed without an end: an abort. As an end it would make half a message look whole.
    this.destroy();
    return false;
  }
  state.push.call(this, null);
  // As node:net does: without it the end of a stream that nobody reads is never noticed. Later, so that whoever is
  // just being handed the channel can listen first.
  if (state.kind === "connection" && this.readableFlowing !== true)
    setImmediate(() => this.read(0));
  return false;
}

// Enough to keep a channel busy, because only what the window does not let through waits here. With ssh2's 2 MiB, 256
// visitors who asked for something big and read nothing of it took half a gigabyte of the client's memory.
const QUEUE_BYTES = 256 * 1024;

const closedError = (): Error =>
  Object.assign(new Error("The channel is closed."), { code: "EPIPE" });
