// Memory for the larger bodies that are kept, used again and again. V8 collects all of its memory whenever some megabytes
// of buffers have become old, and counts what is just passing as well: where hundreds of megabytes a second pass, each
// megabyte that was kept made it do so, and that was most of what the inspector cost.

/** Blocks that come back. */
export interface BlockPool {
  /** @returns {@link BLOCK_BYTES} with anything in them */
  take(): Buffer;
  /** Takes back a block, or ignores another buffer. Nobody may use it, or a view of it, any more. */
  give(block: Buffer): void;
}

/** Of each block. One size for all, as what is kept changes between whole bodies and beginnings: 16 KiB are a beginning. */
export const BLOCK_BYTES = 16 * 1_024;
// Of unused blocks. What there is in use is bounded by those who keep bodies.
const MAX_FREE_BYTES = 32 * 1_024 * 1_024;

/** Makes a pool, which is empty. What is never given back is collected like any buffer. */
export function createBlockPool(): BlockPool {
  const free: Buffer[] = [];
  return {
    // Not of Node's own pool, which would keep its neighbours.
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES),
    give(block) {
      if (
        block.length === BLOCK_BYTES &&
        free.length < MAX_FREE_BYTES / BLOCK_BYTES
      )
        free.push(block);
    },
  };
}
