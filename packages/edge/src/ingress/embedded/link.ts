// Pressure of one SSH connection: how much waits in its socket, and who waits for that to leave.
import type { Socket } from "node:net";
import type { LinkPressure } from "@expose/protocol";

/** Pressure that its connection keeps up to date. */
export interface Link extends LinkPressure {
  /** Looks again; for reasons to be full that the socket does not know. */
  wake(): void;
  /** Calls everyone back: there is nothing left to wait for. */
  close(): void;
}

// More than this in the socket makes small requests wait behind big responses; much less starves the line.
const MAX_QUEUED_BYTES = 256 * 1024;

// Each stream that wakes up brings a chunk of up to 64 KiB, so they wake a few at a time.
const WAKE_AT_ONCE = 8;

/**
 * Watches a connection's socket.
 *
 * @param isHeldUp whether ssh2 holds packets back for another reason, outside of the socket's count
 */
export function createLink(socket: Socket, isHeldUp: () => boolean): Link {
  let waiting: (() => void)[] = [];
  let waking = false;
  let closed = false;

  const isFull = () =>
    !closed && (socket.writableLength > MAX_QUEUED_BYTES || isHeldUp());

  function wake(): void {
    if (waking || isFull()) return;
    const batch = waiting.splice(0, WAKE_AT_ONCE);
    for (const callback of batch) callback();
    if (waiting.length === 0) return;
    // Those just woken write in the next turns of the event loop, and may fill the link again.
    waking = true;
    setImmediate(() => {
      waking = false;
      wake();
    });
  }

  socket.on("drain", wake);

  return {
    isFull,
    onceDrained(callback) {
      if (closed) return callback();
      waiting.push(callback);
      // It may have drained before somebody asked; then no 'drain' follows.
      if (!isFull()) wake();
    },
    wake,
    close() {
      closed = true;
      const batch = waiting;
      waiting = [];
      for (const callback of batch) callback();
    },
  };
}
