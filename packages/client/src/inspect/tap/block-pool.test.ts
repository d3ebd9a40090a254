import { expect, test } from "vitest";
import { BLOCK_BYTES, createBlockPool } from "./block-pool.ts";

test("a block that came back serves again, and nothing else does", () => {
  const pool = createBlockPool();
  const block = pool.take();
  expect(block).toHaveLength(BLOCK_BYTES);
  pool.give(block);
  pool.give(Buffer.alloc(100));
  expect(pool.take()).toBe(block);
  expect(pool.take()).not.toBe(block);
});

test("it has 32 MiB of unused blocks at most", () => {
  const pool = createBlockPool();
  const given = new Set(Array.from({ length: 2_500 }, () => pool.take()));
  for (const block of given) pool.give(block);
  let again = 0;
  while (given.has(pool.take())) again++;
  expect(again * BLOCK_BYTES).toBe(32 * 1_024 * 1_024);
});
