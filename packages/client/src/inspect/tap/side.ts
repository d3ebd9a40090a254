// One direction of a connection: cuts its bytes into HTTP/1 messages, and goes on with whatever comes after them.
import type { HeaderLine } from "@expose/protocol";
import type { BodyPlan } from "./framing.ts";
import { createHeadTracker, type HeadTracker } from "./head-tracker.ts";
import {
  createMessageParser,
  type MessageHead,
  type MessageParser,
} from "./llhttp.ts";

/**
 * How the next message is read: `capture` with all that it says; `track` only to find its end; `hold` when it is not
 * known yet whether it is a message at all; `fault` when there should be none.
 */
export type NextMessage = "capture" | "track" | "hold" | "fault";

/** Hears of one direction. Buffers are views that hold during the call only. */
export interface SideListener {
  /** The first byte of a message is there. */
  begin(): NextMessage;
  /** A captured head. @returns how its body ends */
  head(head: MessageHead): BodyPlan;
  /** A tracked head: its start line and fields as text. @returns how its body ends */
  tracked(head: string): BodyPlan;
  /** Bytes of a captured body. */
  body(bytes: Buffer): void;
  /** The message is over. */
  end(trailers: readonly HeaderLine[]): void;
  /** What comes is no message; nothing is said any more. */
  fault(reason: string): void;
}

/** See the file's head. */
export interface Side {
  /** Never throws. */
  feed(chunk: Buffer): void;
  /** No more bytes come: ends a body that lasts until then. @returns whether that was between two messages */
  ended(): boolean;
  /** Gives what is held, and all that comes, to somebody else: the connection has become something else. */
  divert(to: (bytes: Buffer) => void): void;
  /** Goes on with what is held. */
  release(): void;
  /** Hears nothing any more, and lets go of its memory. Idempotent. */
  stop(): void;
}

// What may come behind a request for an upgrade before it is answered; clients that do so send a first message.
const MAX_HELD_BYTES = 64 * 1_024;

export function createSide(
  kind: "request" | "response",
  listener: SideListener,
): Side {
  type State =
    | "idle"
    | "parsing"
    | "tracking"
    | "length"
    | "close"
    | "held"
    | "diverted"
    | "stopped";
  let state: State = "idle";
  let parser: MessageParser | undefined;
  let tracker: HeadTracker | undefined;
  let captured = false;
  let plan: BodyPlan | undefined;
  let left = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  let divertTo: ((bytes: Buffer) => void) | undefined;

  return { feed, ended, divert, release, stop };

  function feed(chunk: Buffer): void {
    try {
      let at = 0;
      while (at < chunk.length && state !== "stopped") at = step(chunk, at);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  }

  // Takes at least a byte, or changes the state.
  function step(chunk: Buffer, at: number): number {
    switch (state) {
      case "idle":
        begin();
        return at;
      case "parsing":
        return (parser ??= createMessageParser(kind, {
          head: parsedHead,
          body: (bytes) => listener.body(bytes),
          end: parsedEnd,
        })).read(chunk, at);
      case "tracking":
        return (tracker ??= createHeadTracker(trackedHead, () =>
          endMessage([]),
        )).read(chunk, at);
      case "length":
      case "close":
        return takeBody(chunk, at);
      case "held":
        hold(chunk, at);
        return chunk.length;
      case "diverted":
        divertTo!(at === 0 ? chunk : chunk.subarray(at));
        return chunk.length;
      case "stopped":
        return chunk.length;
    }
  }

  function begin(): void {
    const next = listener.begin();
    if (state !== "idle") return;
    captured = next === "capture";
    if (next === "fault") fail("Bytes came that belong to no request.");
    else if (next === "hold") state = "held";
    else state = captured ? "parsing" : "tracking";
  }

  function parsedHead(head: MessageHead): boolean {
    plan = listener.head(head);
    return plan.framing === "chunked";
  }

  // Where llhttp does not read the body, it takes the head for the message.
  function parsedEnd(trailers: readonly HeaderLine[]): void {
    if (plan?.framing === "chunked") endMessage(trailers);
    else startBody();
  }

  function trackedHead(head: string): boolean {
    plan = listener.tracked(head);
    if (plan.framing === "chunked") return true;
    startBody();
    return false;
  }

  function startBody(): void {
    if (state === "stopped" || state === "diverted") return;
    left = plan!.length;
    if (plan!.framing === "close") state = "close";
    else if (left > 0) state = "length";
    else endMessage([]);
  }

  function takeBody(chunk: Buffer, at: number): number {
    const available = chunk.length - at;
    const bytes = state === "close" ? available : Math.min(left, available);
    if (captured)
      listener.body(
        bytes === chunk.length ? chunk : chunk.subarray(at, at + bytes),
      );
    left -= bytes;
    if (state === "length" && left === 0) endMessage([]);
    return at + bytes;
  }

  function endMessage(trailers: readonly HeaderLine[]): void {
    state = "idle";
    plan = undefined;
    listener.end(trailers);
  }

  function hold(chunk: Buffer, at: number): void {
    heldBytes += chunk.length - at;
    if (heldBytes > MAX_HELD_BYTES)
      return fail("Too much came before an upgrade was answered.");
    // The chunk belongs to the stream.
    held.push(Buffer.from(chunk.subarray(at)));
  }

  function divert(to: (bytes: Buffer) => void): void {
    if (state === "stopped") return;
    divertTo = to;
    state = "diverted";
    dropParser();
    flushHeld();
  }

  function release(): void {
    if (state !== "held") return;
    state = "idle";
    flushHeld();
  }

  function flushHeld(): void {
    const chunks = held;
    held = [];
    heldBytes = 0;
    for (const chunk of chunks) feed(chunk);
  }

  function ended(): boolean {
    if (state === "close") {
      endMessage([]);
      return true;
    }
    return state === "idle" || state === "diverted" || state === "held";
  }

  function fail(reason: string): void {
    if (state === "stopped") return;
    stop();
    listener.fault(reason);
  }

  function stop(): void {
    state = "stopped";
    held = [];
    divertTo = undefined;
    tracker = undefined;
    dropParser();
  }

  // It may be the one that is calling at this moment.
  function dropParser(): void {
    const unused = parser;
    parser = undefined;
    if (unused) queueMicrotask(() => unused.free());
  }
}
