// Follows WebSocket frames in a byte stream (RFC 6455 section 5.2), to know where a frame of our own may be put between
// them. It looks at nothing but their lengths.

// Two bytes, then 0, 2 or 8 of length, then 0 or 4 of mask.
const BASE_BYTES = 2;
const MASK_BYTES = 4;

/** A Close frame with status 1001, "going away" (RFC 6455 section 7.4.1), as a server sends it. */
export const CLOSE_GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

/** Counts the frames of one direction. */
export class FrameCounter {
  /** Bytes of the payload still to come. */
  #payload = 0;
  /** Bytes of the header still to come, and how many of them were seen. */
  #header = BASE_BYTES;
  #seen = 0;
  /** Where the extended length ends in the header, and the length so far. */
  #lengthEnd = BASE_BYTES;
  #length = 0;

  /** Whether a frame may begin here. Between the fragments of a message it may (RFC 6455 section 5.4). */
  get atBoundary(): boolean {
    return this.#seen === 0 && this.#payload === 0;
  }

  /** Follows a piece of the stream. */
  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) at = this.#step(chunk, at);
  }

  /**
   * Follows a piece of the stream up to the first boundary in it, and no further.
   *
   * @returns how many bytes belong before the boundary; all of them when there is none, or only at their end
   */
  takeToBoundary(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && !this.atBoundary) at = this.#step(chunk, at);
    return at;
  }

  // Takes one header byte, or as much payload as there is. Returns where it stopped.
  #step(chunk: Buffer, at: number): number {
    if (this.#payload > 0) {
      const length = Math.min(this.#payload, chunk.length - at);
      this.#payload -= length;
      return at + length;
    }
    const byte = chunk[at]!;
    const index = this.#seen++;
    if (index === 1) {
      const code = byte & 0x7f;
      const extended = code === 127 ? 8 : code === 126 ? 2 : 0;
      this.#lengthEnd = BASE_BYTES + extended;
      this.#header = this.#lengthEnd + (byte & 0x80 ? MASK_BYTES : 0);
      this.#length = extended === 0 ? code : 0;
    } else if (index > 1 && index < this.#lengthEnd)
      // Beyond 2^53 it is no number any more, and no frame that anybody will see the end of.
      this.#length = this.#length * 256 + byte;
    if (this.#seen === this.#header) {
      this.#payload = this.#length;
      this.#seen = 0;
      this.#header = BASE_BYTES;
    }
    return at + 1;
  }
}
