// For the tests of this folder: a sink that remembers, and conversations that are fed by hand.
import type { Exchange } from "@expose/protocol";
import type { Capture, CaptureSink } from "../capture.ts";
import { tapConnection, type TapContext } from "./connection-tap.ts";
import { createBlockPool } from "./block-pool.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import { createTraffic } from "./traffic.ts";

/** What a sink was told. */
export interface Recorded extends CaptureSink {
  /** In the order in which they were opened. */
  readonly captures: readonly Capture[];
  readonly finishedIds: readonly string[];
  readonly missedCount: number;
}

function recordCaptures(): Recorded {
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

/** How a conversation is played. */
export interface PlayOptions {
  /** Gives the pieces of a step. Default: whole. */
  cut?: (bytes: Buffer) => Iterable<Buffer>;
  maxBodyBytes?: number;
  /** Whether the next exchange is captured. Default: all are. */
  admit?: () => boolean;
  /** Bytes of bodies that may be kept in all. Default: plenty. */
  keptBurst?: number;
  /** Whether there is a flood. Default: no. */
  flooded?: () => boolean;
  /** What the connection ended with. */
  error?: Error;
  /** The upstream does not say that it has ended. */
  noEnd?: boolean;
}

/** A connection that nothing has passed yet. */
export function useTap(options: PlayOptions = {}) {
  const sink = recordCaptures();
  const context: TapContext = {
    sink,
    limits: {
      maxBodyBytes: options.maxBodyBytes ?? 1_024 * 1_024,
      maxMessages: 1_000,
    },
    kept: createKeptBytes({
      maxBytes: 64 * 1_024 * 1_024,
      perSecond: 0,
      burst: options.keptBurst ?? 1_024 * 1_024 * 1_024,
    }),
    pool: createBlockPool(),
    traffic: createTraffic(),
    budget: {
      admit: options.admit ?? (() => true),
      pass: () => {},
      get flooded() {
        return options.flooded?.() ?? false;
      },
    },
  };
  return { tap: tapConnection(INFO, context), sink, context };
}

/** Plays a conversation to its end. */
export function play(
  steps: readonly Step[],
  options: PlayOptions = {},
): Recorded {
  const { tap, sink } = useTap(options);
  const { cut = (bytes: Buffer) => [bytes] } = options;
  for (const [from, text] of steps)
    for (const piece of cut(
      typeof text === "string" ? Buffer.from(text, "latin1") : text,
    )) {
      if (from === "visitor") tap.fromVisitor(piece);
      else tap.fromUpstream(piece);
      // Whoever owns the stream may do with its buffers what he likes.
      piece.fill(0x58);
    }
  if (!options.noEnd) tap.upstreamEnded();
  tap.closed(options.error);
  return sink;
}

/** What was captured, without what differs from run to run. */
export function outcome(sink: Recorded): object[] {
  return sink.captures.map((capture) => {
    const { id, startedAt, durationMs, timing, ...exchange } =
      capture.exchange();
    void [startedAt, durationMs];
    return {
      ...exchange,
      finished: sink.finishedIds.includes(id),
      phases: Object.keys(timing),
      requestBody: Buffer.concat(capture.requestBody).toString("latin1"),
      responseBody: Buffer.concat(capture.responseBody).toString("latin1"),
      messagesKept: capture.messages.map(({ atMs, ...message }) => {
        void atMs;
        return message;
      }),
    };
  });
}

/** The exchanges of a sink. */
export const exchangesOf = (sink: Recorded): Exchange[] =>
  sink.captures.map((capture) => capture.exchange());
