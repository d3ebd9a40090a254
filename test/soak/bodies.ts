// Bodies that two processes can make without telling each other more than a number.
import { createCipheriv, createHash } from "node:crypto";
import { createChoices } from "./random.ts";

const MAX_PIECE = 256 * 1024;
const ZEROS = Buffer.alloc(MAX_PIECE);

/** The body `index` of a seed, in pieces of random sizes: the key stream of a cipher, so no part of it is like another. */
export function* bodyPieces(
  seed: number,
  index: number,
  bytes: number,
): Generator<Buffer> {
  const choices = createChoices(seed, index, 1);
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed, 0);
  key.writeUInt32LE(index, 4);
  const cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  for (let left = bytes; left > 0;) {
    const size = Math.min(left, 1 + choices.logUniform(MAX_PIECE - 1));
    left -= size;
    yield cipher.update(ZEROS.subarray(0, size));
  }
}

/** SHA-256 of that body, in hex. */
export function bodyHash(seed: number, index: number, bytes: number): string {
  const hash = createHash("sha256");
  for (const piece of bodyPieces(seed, index, bytes)) hash.update(piece);
  return hash.digest("hex");
}
