// Sends a request's bytes over a connection of its own and waits until the answer is over, as the tap sees it.
import type { Duplex } from "node:stream";
import type { Exchange } from "@expose/protocol";
import { messageOf } from "../../errors.ts";
import type { Capture, CaptureSink } from "../capture.ts";
import type { ConnectionTap } from "../tap/connection-tap.ts";
import { ReplayError } from "./replay-error.ts";

/** How a request is sent. */
export interface SendOptions {
  dial(signal: AbortSignal): Promise<Duplex>;
  /** Gets what the connection's tap sees. */
  readonly sink: CaptureSink;
  createTap(sink: CaptureSink): ConnectionTap;
  /** Ends it, when whoever wants the answer goes away. */
  readonly signal: AbortSignal;
  /** How long the local service may say nothing. */
  readonly idleMs: number;
  /** How long the answer may take in all. */
  readonly totalMs: number;
}

/** What became of a request that was sent. */
export interface Sent {
  /** The replay as an exchange of its own; absent when the tap did not see it. */
  readonly exchange: Exchange | undefined;
  readonly responseBody: Buffer;
  /** Why there is no whole answer. */
  readonly error: ReplayError | undefined;
}

/** Sends and waits. Never throws. The connection is closed afterwards, whatever its headers say. */
export async function send(bytes: Buffer, options: SendOptions): Promise<Sent> {
  // It may have waited for its turn meanwhile.
  if (options.signal.aborted)
    return {
      exchange: undefined,
      responseBody: Buffer.alloc(0),
      error: ABORTED,
    };
  const stop = new AbortController();
  let capture: Capture | undefined;
  let unseen = false;
  let over!: () => void;
  const finished = new Promise<void>((resolve) => (over = resolve));
  const { sink } = options;
  // The sink sees all that it would have seen; we look over its shoulder for the end.
  const tap = options.createTap({
    opened(opened) {
      capture ??= opened;
      sink.opened(opened);
    },
    changed: (changed) => sink.changed(changed),
    finished(done) {
      capture ??= done;
      sink.finished(done);
      if (done.id === capture.id) over();
    },
    missed(count) {
      unseen = true;
      sink.missed(count);
    },
  });
  const totalTimer = setTimeout(() => stop.abort(TIMEOUT), options.totalMs);
  const onAbort = (): void => stop.abort(ABORTED);
  options.signal.addEventListener("abort", onAbort, { once: true });

  tap.fromVisitor(bytes);
  const failure = await exchangeBytes(bytes, tap, finished, stop, options);
  clearTimeout(totalTimer);
  options.signal.removeEventListener("abort", onAbort);
  tap.closed();

  const exchange = (capture as Capture | undefined)?.exchange();
  return {
    exchange,
    responseBody: Buffer.concat([
      ...((capture as Capture | undefined)?.responseBody ?? []),
    ]),
    error: judge(exchange, failure, unseen),
  };
}

// Resolves when the answer is over, or with the reason why there is none.
async function exchangeBytes(
  bytes: Buffer,
  tap: ConnectionTap,
  finished: Promise<void>,
  stop: AbortController,
  options: SendOptions,
): Promise<ReplayError | undefined> {
  let stream: Duplex;
  try {
    stream = await options.dial(stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return stop.signal.reason as ReplayError;
    return new ReplayError("upstream-unreachable", messageOf(error), {
      cause: error,
    });
  }
  return new Promise((resolve) => {
    const idle = setTimeout(() => stop.abort(TIMEOUT), options.idleMs);
    const settle = (failure: ReplayError | undefined): void => {
      clearTimeout(idle);
      stop.signal.removeEventListener("abort", onStop);
      resolve(failure);
      stream.destroy();
    };
    const onStop = (): void => settle(stop.signal.reason as ReplayError);
    stop.signal.addEventListener("abort", onStop, { once: true });
    stream.on("data", (chunk: Buffer) => {
      idle.refresh();
      tap.fromUpstream(chunk);
    });
    stream.on("drain", () => idle.refresh());
    stream.on("end", () => {
      tap.upstreamEnded();
      settle(undefined);
    });
    stream.on("close", () => settle(undefined));
    // A reset may follow a whole answer; what the tap saw of it decides.
    stream.on("error", () => settle(undefined));
    void finished.then(() => settle(undefined));
    if (stop.signal.aborted) return onStop();
    stream.write(bytes);
  });
}

function judge(
  exchange: Exchange | undefined,
  failure: ReplayError | undefined,
  unseen: boolean,
): ReplayError | undefined {
  if (failure) return failure;
  if (!exchange)
    return unseen
      ? new ReplayError(
          "replay-unseen",
          "The request was sent, but its answer was not captured: too much passed at once.",
        )
      : new ReplayError(
          "upstream-closed",
          "The connection ended, and nothing of it was captured.",
        );
  if (exchange.state === "broken")
    return new ReplayError(
      "upstream-garbage",
      exchange.note ?? "What the local service answered is no HTTP.",
    );
  if (exchange.status === undefined)
    return new ReplayError(
      "upstream-closed",
      "The local service hung up without an answer.",
    );
  if (exchange.state !== "complete")
    return new ReplayError(
      "upstream-closed",
      exchange.note ?? "The local service hung up in the middle of its answer.",
    );
  return undefined;
}

const TIMEOUT = new ReplayError(
  "upstream-timeout",
  "The local service did not answer in time.",
);
const ABORTED = new ReplayError("aborted", "Whoever asked went away.");
