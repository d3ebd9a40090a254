// Memory that an SSH connection reads into once it carries much. Packets are decrypted where they lie, and what they
// carry is told from there, so the same memory serves read after read for as long as nobody keeps any of it. Whoever is
// done with data when the telling ends says so; what nobody says anything about is theirs for ever.
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { readInto } from "./own-reads.ts";

/** What is assumed of an ssh2 connection, and of the decipher of its protocol object (lib/protocol/crypto.js). */
export interface BulkConnection {
  readonly _sock: unknown;
  readonly _protocol: { readonly _decipher: DecipherShape | undefined };
}

/** A new one comes with each key exchange. */
interface DecipherShape {
  _onPayload(payload: Buffer): unknown;
  /** What there is of a packet that is not complete: a copy, or where it lies in what was read. */
  _packet?: Uint8Array | null;
}

/** Data that comes in such pieces makes it worth while. */
export const BULK_PIECE_BYTES = 16 * 1024;

// Large, so that few packets lie across the end of what was read and one system call brings many.
const SLAB_BYTES = 256 * 1024;
// After so many reads that would have fitted in half of the small one, the large one is for others to use.
const SMALL_BYTES = 16 * 1024;
const SMALL_READS = 8;
const MAX_SPARE = 8;
const spare: Buffer[] = [];

const CHANNEL_DATA = 94;

let told: Buffer | undefined;

/**
 * For whoever hears `data` of a channel and has no further use for the chunk: neither for a part of it, nor in a stream
 * that it was written to.
 */
export function letGo(chunk: Buffer): void {
  if (chunk === told) told = undefined;
}

/**
 * For whoever keeps a chunk for long: then it takes no more memory than it is long, where a piece of each read could keep
 * all of the reads.
 *
 * @returns the chunk, or a copy of it where it is lent
 */
export function owned(chunk: Buffer): Buffer {
  if (chunk !== told) return chunk;
  told = undefined;
  return Buffer.from(chunk);
}

/**
 * Whether what was just written to a stream is in the system's hands, all of it. Never for streams that are no sockets:
 * those may have handed it on to others.
 */
export const isWritten = (stream: Writable): boolean =>
  "connecting" in stream && stream.writableLength === 0;

/** One for each connection that carries much. */
export class BulkReads {
  readonly #socket: Socket;
  readonly #protocol: BulkConnection["_protocol"];
  #slab: Buffer;
  /** Bytes of it that somebody keeps. */
  #used = 0;
  #memory: Buffer;
  #isKept = false;
  #smallReads = 0;
  #watched: DecipherShape | undefined;

  /** Begins at once, if the connection allows it; otherwise it reads as it did. */
  constructor({ _sock: socket, _protocol: protocol }: BulkConnection) {
    this.#socket = socket as Socket;
    this.#protocol = protocol;
    this.#memory = this.#slab = takeSlab();
    // On Windows the system fills memory while the program runs.
    const begun =
      process.platform !== "win32" &&
      readInto(
        this.#socket,
        this.#memory,
        (bytes) => this.#arrived(bytes),
        () => this.#memory,
      );
    if (!begun) spare.push(this.#slab);
  }

  /** Tells of data that came, by a call. */
  tell(data: Buffer, call: () => void): void {
    const before = told;
    told = data;
    try {
      call();
    } finally {
      // Whoever heard of it before the one who failed may keep it.
      if (told !== undefined) this.#isKept = true;
      told = before;
    }
  }

  #arrived(bytes: number): boolean {
    const decipher = this.#watch();
    const chunk = this.#memory.subarray(0, bytes);
    this.#isKept = false;
    const goOn = this.#tellAtOnce(chunk);
    if (
      goOn === undefined ||
      this.#isKept ||
      this.#protocol._decipher !== decipher ||
      decipher?._packet?.buffer === this.#slab.buffer
    )
      this.#used += bytes;
    this.#prepare(bytes);
    return goOn ?? this.#socket.push(chunk);
  }

  // A push would also have Node read ahead while the reader pauses. Undefined when nobody would hear of it now.
  #tellAtOnce(chunk: Buffer): boolean | undefined {
    const socket = this.#socket;
    const { _readableState: state } = socket as unknown as ReadingSocket;
    if (
      state.flowing !== true ||
      state.length > 0 ||
      socket.listenerCount("data") === 0
    )
      return undefined;
    socket.emit("data", chunk);
    return state.flowing;
  }

  // Of all messages but data, ssh2 keeps what it likes.
  #watch(): DecipherShape | undefined {
    const decipher = this.#protocol._decipher;
    if (decipher === this.#watched) return decipher;
    this.#watched = decipher;
    if (decipher === undefined) return undefined;
    const onPayload = decipher._onPayload;
    decipher._onPayload = (payload) =>
      onPayload(payload[0] === CHANNEL_DATA ? payload : Buffer.from(payload));
    return decipher;
  }

  // The memory for the next read, when it is not what it was.
  #prepare(bytes: number): void {
    const isLarge = this.#slab.length === SLAB_BYTES;
    if (bytes >= SMALL_BYTES / 2) this.#smallReads = 0;
    else this.#smallReads++;
    if (isLarge && this.#smallReads >= SMALL_READS) {
      if (this.#used === 0 && spare.length < MAX_SPARE) spare.push(this.#slab);
      this.#begin(Buffer.allocUnsafeSlow(SMALL_BYTES));
    } else if (!isLarge && bytes === this.#memory.length) {
      this.#begin(takeSlab());
    } else if (this.#slab.length - this.#used < this.#slab.length / 4) {
      this.#begin(isLarge ? takeSlab() : Buffer.allocUnsafeSlow(SMALL_BYTES));
    } else if (this.#slab.length - this.#used !== this.#memory.length) {
      this.#memory = this.#slab.subarray(this.#used);
    }
  }

  #begin(slab: Buffer): void {
    this.#memory = this.#slab = slab;
    this.#used = 0;
    this.#smallReads = 0;
  }
}

interface ReadingSocket {
  readonly _readableState: { flowing: boolean | null; length: number };
}

const takeSlab = (): Buffer =>
  spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
