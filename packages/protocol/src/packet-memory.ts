// Memory for the large packets of one connection, used again as soon as they are out. A buffer of its own for each costs
// more than encrypting it: V8 counts what buffers hold, and collects all of the heap for every 64 MB of it.

/** What packets are written to; the memory is free when nothing is queued there. */
export interface PacketSink {
  readonly writableLength: number;
}

// Twice what the link under the channels lets queue up (client/src/ssh/link-pressure.ts), since some come on top of it.
const SLAB_BYTES = 512 * 1024;
/** Node takes what is smaller from a pool of its own. */
export const LEAST_SLAB_BYTES = 4 * 1024;

// Kept for the next connection that sends much; what is out is given back, so that few are needed at once.
const MAX_SPARE = 4;
const spare: Buffer[] = [];

/** One for each connection. It holds memory from the first large packet until all packets are out. */
export class PacketMemory {
  readonly #sink: PacketSink;
  #slab: Buffer | undefined;
  #used = 0;

  /** @param sink a socket, which counts what it was given until the system has it */
  constructor(sink: PacketSink) {
    this.#sink = sink;
  }

  /**
   * Memory for one packet, uninitialised; undefined when there is none. It must be handed to the sink before the next packet is asked for, or be of no
   * use any more.
   */
  take(bytes: number): Buffer | undefined {
    if (this.#slab === undefined || this.#sink.writableLength === 0)
      this.#used = 0;
    const from = this.#used;
    if (from + bytes > SLAB_BYTES) return undefined;
    this.#slab ??= spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#used = from + bytes;
    return this.#slab.subarray(from, from + bytes);
  }

  /** To be called when the sink may have handed on all that it had. */
  written(): void {
    if (this.#slab === undefined || this.#sink.writableLength > 0) return;
    if (spare.length < MAX_SPARE) spare.push(this.#slab);
    this.#slab = undefined;
  }
}
