// Keeps bytes that come in pieces. Whoever sends them one by one must not make us keep a hundred bytes for each.
import { BLOCK_BYTES, type BlockPool } from "./block-pool.ts";

/** Bytes in order. */
export interface ByteList {
  /** Copies: a few bytes would otherwise keep the 64 KiB that they were read in. */
  add(bytes: Buffer): void;
  readonly length: number;
  /** In few pieces; they are not copied, and hold what was added so far. None after `release`. */
  pieces(): readonly Buffer[];
  /** Forgets everything and gives its memory back: nobody may have a piece any more. */
  release(): void;
}

const MAX_BLOCK_BYTES = 64 * 1_024;
// What is smaller would leave much of a block unused.
const MIN_POOLED_BYTES = BLOCK_BYTES * 0.75;

/** @param pool for bytes that are given back with `release`; absent: they are collected */
export function createByteList(pool?: BlockPool): ByteList {
  return new BlockList(pool);
}

// A class: there are two for every exchange in memory, and closures of their own would be most of what they take.
class BlockList implements ByteList {
  readonly #pool: BlockPool | undefined;
  #blocks: Buffer[] | undefined;
  #used = 0;
  #length = 0;

  constructor(pool: BlockPool | undefined) {
    this.#pool = pool;
  }

  add(bytes: Buffer): void {
    const blocks = (this.#blocks ??= []);
    const last = blocks.at(-1);
    let at = last ? bytes.copy(last, this.#used) : 0;
    this.#used += at;
    while (at < bytes.length) {
      const block = this.#allocate(bytes.length - at, this.#length + at);
      this.#used = bytes.copy(block, 0, at);
      blocks.push(block);
      at += this.#used;
    }
    this.#length += bytes.length;
  }

  // The first block is as large as it has to be: most bodies come in one piece.
  #allocate(rest: number, before: number): Buffer {
    const wanted = Math.max(rest, Math.min(MAX_BLOCK_BYTES, before));
    return this.#pool && wanted >= MIN_POOLED_BYTES
      ? this.#pool.take()
      : Buffer.allocUnsafe(wanted);
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

  release(): void {
    const blocks = this.#blocks ?? [];
    this.#blocks = undefined;
    this.#used = this.#length = 0;
    if (this.#pool) for (const block of blocks) this.#pool.give(block);
  }
}
