// Reads of sockets without memory of their own. Node allocates 64 KiB for each read of a socket and gives back what was
// not filled; in a proxy that is a third of what a small read costs. Here all sockets read into one block instead, and
// a chunk is only lent: it is good until the listener that got it returns.
import type { Duplex } from "node:stream";
import { readInto } from "./own-reads.ts";

// One for the process: a read and the listeners that hear of it are over before the next one begins. Not so on Windows,
// where the system fills the memory while the program runs.
const BLOCK_BYTES = 64 * 1024;
const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);

/** Ends lending: from the next read on each chunk has memory of its own, and may be kept. */
export type StopLending = () => void;

/**
 * Makes a socket lend what it reads: each `data` event's chunk is overwritten by the next read of any socket. Whoever
 * listens must be done with it when the listener returns, or keep what {@link kept} gives. What is read while nobody
 * listens is buffered, as a copy. Everything else about the socket stays as it is.
 *
 * @param stream connected; sockets of TLS and other streams are left as they are
 * @returns undefined when this Node works differently inside, and then nothing has changed
 */
export function lendReads(stream: Duplex): StopLending | undefined {
  if (process.platform === "win32") return;
  let lending = true;
  const { _readableState: state } = stream as LendingSocket;
  const done = readInto(stream, block, (length) => {
    const chunk = block.subarray(0, length);
    if (!lending || state.flowing !== true || state.length > 0)
      return stream.push(Buffer.from(chunk));
    stream.emit("data", chunk);
    return true;
  });
  if (!done) return;
  return () => {
    lending = false;
  };
}

/** @returns the chunk, or a copy of it where it was only lent */
export function kept(chunk: Buffer): Buffer {
  return chunk.buffer === block.buffer ? Buffer.from(chunk) : chunk;
}

interface LendingSocket extends Duplex {
  readonly _readableState: { flowing: boolean | null; length: number };
}
