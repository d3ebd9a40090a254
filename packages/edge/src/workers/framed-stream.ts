// A byte stream over a Unix socket that keeps what such a socket loses: whether the other end has finished or has given up.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

// Each chunk goes with its length in front, big endian; a length of 0 is the end. A Unix socket alone shows the end of a
// process that gave up in the middle of a response as the end of the response.
const HEADER_BYTES = 4;
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const END = Buffer.alloc(HEADER_BYTES);
const NOTHING = Buffer.alloc(0);

/**
 * Speaks in frames on a socket that nobody has read from. `end()` says that no more follows and leaves the other direction
 * as it is; `destroy()` gives up, which the other end sees as an error (`ECONNRESET`) behind what had arrived. The stream
 * has an error listener of its own, so that an error that nobody waits for harms nobody.
 */
export class FramedStream extends Duplex {
  readonly #socket: Socket;
  /** Of a header that came in pieces. */
  #header: Buffer | undefined;
  /** Bytes of the frame at hand that have not come. */
  #left = 0;
  #ended = false;

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.on("error", ignore);
    socket.on("error", ignore);
    socket.pause();
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("close", () => this.#lost());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#send([chunk], callback);
  }

  override _writev(
    chunks: { chunk: Buffer }[],
    callback: (error?: Error | null) => void,
  ): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.write(END, callback);
  }

  override _destroy(
    error: Error | null,
    callback: (error?: Error | null) => void,
  ): void {
    // What was written last, the end among it, still has to leave; behind a failure nothing has.
    if (error || !this.writableFinished) this.#socket.destroy();
    else this.#socket.destroySoon();
    callback(error);
  }

  #send(
    chunks: readonly Buffer[],
    callback: (error?: Error | null) => void,
  ): void {
    const socket = this.#socket;
    const header = Buffer.allocUnsafe(HEADER_BYTES * chunks.length);
    socket.cork();
    chunks.forEach((chunk, i) => {
      // A length of 0 would be the end.
      if (chunk.length === 0) return;
      header.writeUInt32BE(chunk.length, HEADER_BYTES * i);
      socket.write(header.subarray(HEADER_BYTES * i, HEADER_BYTES * (i + 1)));
      socket.write(chunk);
    });
    socket.write(NOTHING, callback);
    socket.uncork();
  }

  #take(bytes: Buffer): void {
    let at = 0;
    let room = true;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        room = this.push(part);
        continue;
      }
      const missing = HEADER_BYTES - (this.#header?.length ?? 0);
      const piece = bytes.subarray(at, at + missing);
      at += piece.length;
      const header = this.#header
        ? Buffer.concat([this.#header, piece])
        : piece;
      if (header.length < HEADER_BYTES) {
        // A copy: the chunk that it is part of may be large.
        this.#header = Buffer.from(header);
        break;
      }
      this.#header = undefined;
      const length = header.readUInt32BE();
      if (this.#ended || length > MAX_FRAME_BYTES)
        return void this.destroy(new Error("A broken frame."));
      if (length === 0) {
        this.#ended = true;
        this.push(null);
      } else this.#left = length;
    }
    if (!room) this.#socket.pause();
  }

  #lost(): void {
    if (this.destroyed) return;
    if (!this.#ended) return void this.destroy(resetError());
    // It has said all, and reads no more. Whoever reads here gets the rest first.
    if (this.readableEnded) this.destroy();
    else this.once("end", () => this.destroy());
  }
}

function ignore(): void {}

const resetError = (): Error =>
  Object.assign(new Error("The other process gave the connection up."), {
    code: "ECONNRESET",
  });
