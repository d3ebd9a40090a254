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
  const blocks: Buffer[] = [];
  let used = 0;
  let length = 0;

  return {
    add(bytes) {
      let at = 0;
      const last = blocks.at(-1);
      if (last) at = bytes.copy(last, used);
      used += at;
      length += at;
      const rest = bytes.length - at;
      if (rest === 0) return;
      // The first block is as large as it has to be: most bodies come in one piece.
      const block = Buffer.allocUnsafe(
        Math.max(rest, Math.min(MAX_BLOCK_BYTES, length)),
      );
      bytes.copy(block, 0, at);
      blocks.push(block);
      used = rest;
      length += rest;
    },
    get length() {
      return length;
    },
    pieces() {
      const last = blocks.at(-1);
      if (!last || used === last.length) return blocks;
      return [...blocks.slice(0, -1), last.subarray(0, used)];
    },
  };
}
