import { expect, test } from "vitest";
import { createBlockPool } from "./block-pool.ts";
import { createByteList } from "./byte-list.ts";

test.each([1, 100, 9_000, 65_536, 100_000])(
  "bytes that come %i at a time are the same in few pieces, with a pool and without",
  (size) => {
    const bytes = Buffer.from(
      Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 251),
    );
    for (const pool of [undefined, createBlockPool()])
      // The second time with blocks that another list has used.
      for (let time = 0; time < 2; time++) {
        const list = createByteList(pool);
        for (let at = 0; at < bytes.length; at += size)
          list.add(bytes.subarray(at, at + size));
        expect(list.length).toBe(bytes.length);
        expect(list.pieces().length).toBeLessThan(40);
        expect(Buffer.concat(list.pieces()).equals(bytes)).toBe(true);
        list.release();
        expect(list).toMatchObject({ length: 0 });
        expect(list.pieces()).toEqual([]);
      }
  },
);
