// Makes a channel of ssh2's server behave like a socket: half-close, destroy, close, and no lost callback. The instance
// is patched rather than wrapped, because every byte of every visitor passes here.
import { type Duplex, Writable } from "node:stream";
import {
  dropStderr,
  tuneChannels,
  type AdoptedChannel,
  type Door,
  type PrivateChannel,
} from "./ssh2-door.ts";

// ssh2 lets 2 MiB queue up in each direction of each channel, on top of the window of 2 MiB. This much is enough to
// keep a channel busy, because only what the window does not let through waits here.
const HIGH_WATER_MARK = 256 * 1024;

/**
 * Turns a channel into a stream that keeps the promises of {@link ForwardedConnection}: `end()` sends EOF and no more,
 * CLOSE follows when both directions have ended, `destroy()` closes at once and fails what waited to be written, and
 * `close` is always emitted, once. A peer that closes without EOF before (RFC 4254 section 5.3) has given up in the
 * middle: what it sent can still be read, and then comes an error (`ECONNRESET`) in place of `end`.
 *
 * The stream has an error listener of its own, so that an error that nobody waits for harms nobody.
 *
 * @param channel just opened and not yet read
 */
export function adoptChannel(channel: PrivateChannel, door: Door): Duplex {
  tuneChannels(channel);
  // What ssh2 does at 'finish' is to send EOF and CLOSE together, which loses the other direction; at the other three it
  // sets a property that means nothing on the server's side. Each by itself: taking away all listeners of an event makes
  // a dictionary of the table of listeners, which takes 450 bytes more for as long as the channel lives.
  for (const event of ["finish", "prefinish", "end", "close"])
    for (const listener of channel.listeners(event))
      channel.off(event, listener as () => void);
  channel.on("finish", sendEof);
  channel.on("error", ignore);
  // A tunnel's own session channel has a second writing side that nobody waits for; the others have none.
  if (channel.type === "session") channel.stderr.on("error", ignore);
  else dropStderr(channel);

  const inner = channel as PatchedChannel;
  inner._readableState.highWaterMark = HIGH_WATER_MARK;
  inner._writableState.highWaterMark = HIGH_WATER_MARK;
  // ssh2 emits 'close' by itself, late or never; Node's own streams do it right.
  inner._readableState.emitClose = true;
  inner._writableState.emitClose = true;
  inner._write = writeWhileOpen;
  // Writable's rather than Duplex's: it also calls back the writes that still queue.
  inner.destroy = Writable.prototype.destroy as PatchedChannel["destroy"];
  inner[DOOR] = door;
  inner._destroy = destroyAndClose;
  door.adopt(new ChannelLife(inner));
  return channel;
}

function sendEof(this: PrivateChannel): void {
  this.eof();
}

function ignore(): void {}

const DOOR = Symbol("door");

function destroyAndClose(
  this: PatchedChannel,
  error: Error | null,
  callback: (error?: Error | null) => void,
): void {
  this[DOOR]?.retire(this);
  this.close();
  failPendingWrite(this, error ?? closedError());
  callback(error);
}

/** What becomes of an adopted channel. */
class ChannelLife implements AdoptedChannel {
  readonly channel: PatchedChannel;

  constructor(channel: PatchedChannel) {
    this.channel = channel;
  }

  peerClosed(): void {
    const { channel } = this;
    const clean = channel.incoming.state === "eof";
    channel.incoming.state = "closed";
    // Our answer; does nothing when we closed first.
    channel.close();
    channel.outgoing.state = "closed";
    conclude(channel, clean);
  }

  connectionLost(): void {
    const { channel } = this;
    const clean = channel.incoming.state === "eof";
    channel.incoming.state = "closed";
    channel.outgoing.state = "closed";
    conclude(channel, clean);
  }
}

// The prototype of all channels of ssh2; taken from an instance, since ssh2 does not export the class.
type Write = (
  this: PatchedChannel,
  data: Buffer,
  encoding: BufferEncoding,
  callback: (error?: Error | null) => void,
) => void;

const writeWhileOpen: Write = function (data, encoding, callback) {
  // ssh2 leaves both in place after they were sent, where they keep up to 2 MiB alive and, when stderr has waited for
  // window too, are sent a second time.
  this._chunk = undefined;
  this._chunkcb = undefined;
  if (this.outgoing.state === "open") {
    const prototype = Object.getPrototypeOf(this) as { _write: Write };
    prototype._write.call(this, data, encoding, callback);
  } else {
    // The peer closed after its own end: it wants no more, and what it said is still being read. As with a socket
    // whose other end is gone, writes come to nothing. ssh2 would never call back.
    callback();
  }
};

/** Ends a stream whose other end is gone. */
function conclude(channel: PatchedChannel, clean: boolean): void {
  if (channel.destroyed) return;
  const pending = channel._chunkcb;
  channel._chunk = undefined;
  channel._chunkcb = undefined;
  pending?.();
  if (clean && channel.readableEnded) channel.destroy();
  else if (clean) channel.once("end", () => channel.destroy());
  else if (channel.readableLength === 0) channel.destroy(resetError());
  else breakAfterData(channel);
}

// Lets the reader have what is buffered and then an error: 'end' would make half a response look whole. Node has no
// way to queue an error behind data, so the one 'end' that follows is caught.
function breakAfterData(channel: PatchedChannel): void {
  const emit = channel.emit;
  channel.emit = function (event: string | symbol, ...args: unknown[]) {
    if (event !== "end") return emit.call(channel, event, ...args);
    channel.emit = emit;
    channel.destroy(resetError());
    return true;
  };
  channel.push(null);
}

function failPendingWrite(channel: PatchedChannel, error: Error): void {
  const pending = channel._chunkcb;
  channel._chunk = undefined;
  channel._chunkcb = undefined;
  pending?.(error);
}

// The codes that a socket would give, so that callers need one set of them.
const closedError = (): Error =>
  Object.assign(new Error("The channel was closed."), { code: "EPIPE" });
const resetError = (): Error =>
  Object.assign(
    new Error("The client closed the channel in the middle of it."),
    { code: "ECONNRESET" },
  );

interface PatchedChannel extends PrivateChannel {
  [DOOR]?: Door;
  readonly _readableState: StreamState;
  readonly _writableState: StreamState;
  _write: Write;
  destroy(error?: Error): this;
}

interface StreamState {
  highWaterMark: number;
  emitClose: boolean;
}
