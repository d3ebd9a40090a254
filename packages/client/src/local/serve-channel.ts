// One channel from the edge, from its first byte to its end.
import type { Duplex } from "node:stream";
import {
  isTuned,
  join,
  lendReads,
  type JoinResult,
  type LinkPressure,
} from "@expose/protocol";
import type { Dial } from "./dial.ts";

/** How a channel is served. */
export interface ServeOptions {
  /** Opens the connection to the local service. */
  connect: Dial;
  /** Dial at once, not at the first byte: in many protocols the server speaks first. */
  eager: boolean;
  /** Looks at a copy of what the local service says. */
  observe: ((chunk: Buffer) => void) | undefined;
  /** Takes a copy of both directions. */
  tap?: ChannelTap | undefined;
}

/** What passes on a channel, for somebody who looks on. Nothing here may throw or keep a buffer. */
export interface ChannelTap {
  fromVisitor(chunk: Buffer): void;
  fromUpstream(chunk: Buffer): void;
  /** The local service has said all that it had to say. */
  upstreamEnded(): void;
  /** Nothing passes any more. */
  closed(error?: Error): void;
}

// What is taken from a channel before the local service is there. A request's head fits; the rest of an upload waits
// in the channel, whose window then stays closed.
const MAX_HEAD_BYTES = 64 * 1_024;

/**
 * Waits for the channel's first byte, dials, and joins the two without changing a byte. Idle channels hold no
 * connection to the local service: a single-threaded server would wait on it and answer nobody else. When the dial
 * fails the channel is destroyed before a byte was written to it, so that the edge can make the answer.
 *
 * @param channel unread
 * @param done called exactly once, when nothing more can pass
 * @returns a function that cuts both ways at once
 */
export function serveChannel(
  channel: Duplex,
  link: LinkPressure | undefined,
  options: ServeOptions,
  done: (result: JoinResult) => void,
): () => void {
  const { tap } = options;
  const head: Buffer[] = [];
  let headBytes = 0;
  /** While the dial is under way; 500 bytes that a channel has no use for before and after. */
  let abort: AbortController | undefined;
  let upstream: Duplex | undefined;
  let dialling = false;
  let over = false;

  channel.on("data", onData);
  channel.on("end", onEnd);
  // A library that closes a channel by itself ends it: the only sign of it while the channel is paused.
  channel.on("finish", onClose);
  channel.on("close", onClose);
  channel.on("error", giveUp);
  if (channel.destroyed) queueMicrotask(onClose);
  else if (options.eager) dial();
  return cut;

  function onData(chunk: Buffer): void {
    tap?.fromVisitor(chunk);
    head.push(chunk);
    headBytes += chunk.length;
    if (headBytes >= MAX_HEAD_BYTES) channel.pause();
    dial();
  }

  function onEnd(): void {
    // Without a byte there is no request, and nobody to half-close for.
    if (!dialling) giveUp();
  }

  function onClose(): void {
    giveUp(new Error("The channel closed before the local service was there."));
  }

  function dial(): void {
    if (dialling || over) return;
    dialling = true;
    abort = new AbortController();
    options.connect(abort.signal).then(joinWith, giveUp);
  }

  function joinWith(stream: Duplex): void {
    abort = undefined;
    if (over) return void stream.destroy();
    channel.off("data", onData);
    channel.off("end", onEnd);
    channel.off("finish", onClose);
    channel.off("close", onClose);
    channel.off("error", giveUp);
    upstream = stream;
    // Whoever looks at the chunks keeps none, and the channel takes a copy.
    if (isTuned(channel)) lendReads(stream);
    for (const chunk of head) stream.write(chunk);
    head.length = 0;
    if (options.observe) stream.on("data", options.observe);
    join(stream, channel, link, (result) => {
      over = true;
      tap?.closed(result.error);
      done({ ...result, bytesBToA: result.bytesBToA + headBytes });
    });
    if (!tap) return;
    // Behind join's own listeners: a chunk is on its way before anybody looks at it.
    channel.on("data", (chunk: Buffer) => tap.fromVisitor(chunk));
    stream.on("data", (chunk: Buffer) => tap.fromUpstream(chunk));
    stream.on("end", () => tap.upstreamEnded());
  }

  function giveUp(error?: Error): void {
    if (over) return;
    over = true;
    abort?.abort();
    head.length = 0;
    channel.destroy();
    // What still comes is thrown away, but it has to be read: a paused stream does not report its end.
    channel.off("data", onData);
    channel.resume();
    tap?.closed(error);
    done({
      bytesAToB: 0,
      bytesBToA: headBytes,
      ...(error !== undefined && { error }),
    });
  }

  function cut(): void {
    if (!upstream) return giveUp(new Error("The tunnel was closed."));
    upstream.destroy();
    channel.destroy();
    channel.resume();
  }
}
