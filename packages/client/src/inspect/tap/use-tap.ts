// For the tests of this folder: a sink that remembers, and a connection that is fed by hand.
import type { Exchange } from "@expose/protocol";
import type { Capture, CaptureSink } from "../capture.ts";
import type { ConnectionTap } from "./connection-tap.ts";
import { createTap, type TapOptions } from "./create-tap.ts";

/** What a sink was told. */
export interface Recorded extends CaptureSink {
  /** In the order in which they were opened. */
  readonly captures: readonly Capture[];
  readonly finishedIds: readonly string[];
  readonly missedCount: number;
  exchanges(): Exchange[];
}

export function recordCaptures(): Recorded {
  const captures: Capture[] = [];
  const finishedIds: string[] = [];
  let missedCount = 0;
  return {
    captures,
    finishedIds,
    get missedCount() {
      return missedCount;
    },
    opened: (capture) => void captures.push(capture),
    changed: () => {},
    finished: (capture) => void finishedIds.push(capture.id),
    missed: (count) => void (missedCount += count),
    exchanges: () => captures.map((capture) => capture.exchange()),
  };
}

export const INFO = {
  tunnel: "shop",
  origin: "https://shop.example.com",
  upstream: "localhost:8080",
};

/** One step of a conversation: who says what. */
export type Step = readonly [
  from: "visitor" | "upstream",
  text: string | Buffer,
];

/** A connection and what its sink has heard. */
export function useTap(options: TapOptions = {}): {
  tap: ConnectionTap;
  sink: Recorded;
} {
  const sink = recordCaptures();
  return { tap: createTap(sink, options)(INFO), sink };
}

/**
 * Plays a conversation, each step in pieces.
 *
 * @param cut gives the pieces of a step
 */
export function play(
  steps: readonly Step[],
  cut: (bytes: Buffer) => Iterable<Buffer> = (bytes) => [bytes],
  options: TapOptions = {},
): Recorded {
  const { tap, sink } = useTap(options);
  for (const [from, text] of steps)
    for (const piece of cut(Buffer.from(text)))
      if (from === "visitor") tap.fromVisitor(piece);
      else tap.fromUpstream(piece);
  tap.upstreamEnded();
  tap.closed();
  return sink;
}
