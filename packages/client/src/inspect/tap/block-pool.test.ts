import { expect, test } from "vitest";
import { createBlockPool } from "./block-pool.ts";

const KIB = 1_024;

test("a block that came back serves again, for bytes of about its size", () => {
  const pool = createBlockPool();
  const block = pool.take(60 * KIB)!;
  expect(block).toHaveLength(64 * KIB);
  pool.give(block);
  expect(pool.take(17 * KIB)).toHaveLength(24 * KIB);
  expect(pool.take(50 * KIB)).toBe(block);
  expect(pool.take(50 * KIB)).not.toBe(block);
});

test("what is small, or larger than any block, is not its business", () => {
  const pool = createBlockPool();
  expect(pool.take(4 * KIB)).toBeUndefined();
  expect(pool.take(65 * KIB)).toBeUndefined();
  pool.give(Buffer.alloc(100));
});

test("it has 32 MiB of unused blocks at most", () => {
  const pool = createBlockPool();
  const given = new Set(
    Array.from({ length: 600 }, () => pool.take(64 * KIB)!),
  );
  for (const block of given) pool.give(block);
  let again = 0;
  while (given.has(pool.take(64 * KIB)!)) again++;
  expect(again * 64 * KIB).toBe(32 * KIB * KIB);
});
