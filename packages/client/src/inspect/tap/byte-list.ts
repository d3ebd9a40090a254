// Keeps bytes that come in pieces. Whoever sends them one by one must not make us keep a hundred bytes for each.

/** Bytes in order. */
export interface ByteList {
  /** Copies: a few bytes would otherwise keep the 64 KiB that they were read in. */
  add(bytes: Buffer): void;
  readonly length: number;
  /** In few pieces; they are not copied, and hold what was added so far. */
  pieces(): readonly Buffer[];
}

const MAX_BLOCK_BYTES = 64 * 1_024;

export function createByteList(): ByteList {
  return new BlockList();
}

// A class: there are two for every exchange in memory, and closures of their own would be most of what they take.
class BlockList implements ByteList {
  #blocks: Buffer[] | undefined;
  #used = 0;
  #length = 0;

  add(bytes: Buffer): void {
    const blocks = (this.#blocks ??= []);
    const last = blocks.at(-1);
    const at = last ? bytes.copy(last, this.#used) : 0;
    this.#used += at;
    this.#length += bytes.length;
    const rest = bytes.length - at;
    if (rest === 0) return;
    // The first block is as large as it has to be: most bodies come in one piece.
    const block = Buffer.allocUnsafe(
      Math.max(rest, Math.min(MAX_BLOCK_BYTES, this.#length - rest)),
    );
    bytes.copy(block, 0, at);
    blocks.push(block);
    this.#used = rest;
  }

  get length(): number {
    return this.#length;
  }

  pieces(): readonly Buffer[] {
    const blocks = this.#blocks ?? [];
    const last = blocks.at(-1);
    if (!last || this.#used === last.length) return blocks;
    return [...blocks.slice(0, -1), last.subarray(0, this.#used)];
  }
}
