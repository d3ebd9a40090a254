// Memory for the larger bodies that are kept, used again and again. V8 collects all of its memory whenever some megabytes
// of buffers have become old, and counts what is just passing as well: where hundreds of megabytes a second pass, each
// megabyte that was kept made it do so, and that was most of what the inspector cost.

/** Blocks that come back. */
export interface BlockPool {
  /** @returns a block of at least so many bytes, with anything in it; undefined for sizes that are not pooled */
  take(bytes: number): Buffer | undefined;
  /** Takes back a block, or ignores another buffer. Nobody may use it, or a view of it, any more. */
  give(block: Buffer): void;
}

// A third of a block may be unused; what is smaller than the first is allocated as it is needed.
const SIZES = [12, 16, 24, 32, 48, 64].map((kib) => kib * 1_024);
const MIN_BYTES = 8 * 1_024;
// Of unused blocks. What there is in use is bounded by those who keep bodies.
const MAX_FREE_BYTES = 32 * 1_024 * 1_024;

/** Makes a pool, which is empty. What is never given back is collected like any buffer. */
export function createBlockPool(): BlockPool {
  const free = new Map<number, Buffer[]>(SIZES.map((size) => [size, []]));
  let freeBytes = 0;
  return {
    take(bytes) {
      const size = SIZES.find((each) => each >= bytes);
      if (size === undefined || bytes < MIN_BYTES) return undefined;
      const block = free.get(size)!.pop();
      // Not of Node's own pool, which would keep its neighbours.
      if (!block) return Buffer.allocUnsafeSlow(size);
      freeBytes -= size;
      return block;
    },
    give(block) {
      const unused = free.get(block.length);
      if (!unused || freeBytes + block.length > MAX_FREE_BYTES) return;
      unused.push(block);
      freeBytes += block.length;
    },
  };
}
