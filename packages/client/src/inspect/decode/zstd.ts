// zstd for Node before 22.15, in JavaScript. It runs on the event loop's own thread: in turns, and within a budget.
import { setImmediate as nextTurn } from "node:timers/promises";
import { Decompress } from "fzstd";
import { messageOf } from "../../errors.ts";
import type { DecodeResult } from "./decoder.ts";

/** Never rejects. @param maxBytes how far it may open */
export async function decodeZstd(
  input: Buffer,
  maxBytes: number,
): Promise<DecodeResult> {
  const chunks: Buffer[] = [];
  let length = 0;
  let spentMs = 0;
  let turnStartedAt = 0;
  const end = (stop: Omit<DecodeResult, "bytes">): DecodeResult => ({
    bytes: Buffer.concat(chunks, Math.min(length, maxBytes)),
    ...stop,
  });
  if (opensTooWideWindow(input))
    return end({
      stop: "broken",
      reason: "its window is larger than the 8 MB of RFC 9659",
    });
  const decoder = new Decompress((chunk) => {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > maxBytes) throw new Stop("bound");
    // Many tiny blocks in a large window make each of them move the whole window.
    if (spentMs + performance.now() - turnStartedAt > BUDGET_MS)
      throw new Stop("time");
  });
  try {
    for (let at = 0; at < input.length; at += INPUT_PIECE) {
      const piece = input.subarray(at, at + INPUT_PIECE);
      turnStartedAt = performance.now();
      decoder.push(piece, at + INPUT_PIECE >= input.length);
      spentMs += performance.now() - turnStartedAt;
      await nextTurn();
    }
  } catch (error) {
    if (!(error instanceof Stop))
      return end({ stop: "broken", reason: messageOf(error) });
    return end(
      error.why === "bound"
        ? { stop: "bound" }
        : { stop: "broken", reason: "decoding it takes too long" },
    );
  }
  return end({});
}

const INPUT_PIECE = 16 * 1024;
const BUDGET_MS = 500;

class Stop extends Error {
  readonly why: "bound" | "time";
  constructor(why: "bound" | "time") {
    super(why);
    this.why = why;
  }
}

// RFC 9659 section 3.
const MAX_WINDOW_BYTES = 8 * 1024 * 1024;
const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

// The decoder allocates each frame's window before it reads a block, up to 2 GB, and there may be many frames. Where
// frames begin is known only by decoding, so that each place that looks like a beginning is looked at.
function opensTooWideWindow(input: Buffer): boolean {
  for (let at = 0; (at = input.indexOf(MAGIC, at)) !== -1; at += MAGIC.length)
    if (readWindowBytes(input, at + MAGIC.length) > MAX_WINDOW_BYTES)
      return true;
  return false;
}

// RFC 8878 section 3.1.1.1.
function readWindowBytes(input: Buffer, at: number): number {
  const descriptor = input[at] ?? 0;
  const singleSegment = (descriptor & 0x20) !== 0;
  if (!singleSegment) {
    const window = input[at + 1] ?? 0;
    const base = 2 ** (10 + (window >> 3));
    return base + (base / 8) * (window & 7);
  }
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeAt = at + 1 + dictionaryBytes;
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6]!;
  const bytes = Buffer.alloc(8);
  input.copy(bytes, 0, sizeAt, Math.min(sizeAt + sizeBytes, input.length));
  return Number(bytes.readBigUInt64LE());
}
