import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameCounter } from "./frame-counter.ts";

function frame(payload: number, masked: boolean): Buffer {
  const head = [0x82];
  const mask = masked ? 0x80 : 0;
  if (payload < 126) head.push(mask | payload);
  else if (payload < 65_536) head.push(mask | 126, payload >> 8, payload & 255);
  else
    head.push(
      mask | 127,
      0,
      0,
      0,
      0,
      payload >>> 24,
      (payload >> 16) & 255,
      (payload >> 8) & 255,
      payload & 255,
    );
  if (masked) head.push(1, 2, 3, 4);
  // A payload that looks like frames must not be taken for any.
  return Buffer.concat([Buffer.from(head), Buffer.alloc(payload, 0x81)]);
}

const frames = fc.array(
  fc.record({
    payload: fc.oneof(
      fc.integer({ min: 0, max: 130 }),
      fc.constantFrom(125, 126, 127, 65_535, 65_536, 70_000),
    ),
    masked: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
);

test("boundaries are where frames end, however the bytes are cut", () => {
  fc.assert(
    fc.property(
      frames,
      fc.array(fc.integer({ min: 1, max: 5_000 })),
      (list, cuts) => {
        const parts = list.map(({ payload, masked }) => frame(payload, masked));
        const bytes = Buffer.concat(parts);
        const ends = new Set<number>([0]);
        let end = 0;
        for (const part of parts) ends.add((end += part.length));
        const counter = new FrameCounter();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const next = Math.min(
            bytes.length,
            at + (cuts[i % cuts.length] ?? 997),
          );
          counter.take(bytes.subarray(at, next));
          at = next;
          expect(counter.atBoundary).toBe(ends.has(at));
        }
      },
    ),
    { numRuns: 100, seed: 1 },
  );
});

test("a piece is taken up to the first boundary in it", () => {
  fc.assert(
    fc.property(frames, fc.nat(), (list, seed) => {
      const parts = list.map(({ payload, masked }) => frame(payload, masked));
      const bytes = Buffer.concat(parts);
      const at = seed % (bytes.length + 1);
      const counter = new FrameCounter();
      counter.take(bytes.subarray(0, at));
      let boundary = 0;
      for (const part of parts) if (boundary < at) boundary += part.length;
      expect(counter.takeToBoundary(bytes.subarray(at))).toBe(boundary - at);
      expect(counter.atBoundary).toBe(true);
    }),
    { numRuns: 100, seed: 1 },
  );
});
