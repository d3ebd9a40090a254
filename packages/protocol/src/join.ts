// Joins two byte streams, as every tunnelled connection ends up being: the one place where that is done.
import type { Duplex } from "node:stream";
import { isWritten, letGo } from "./bulk-reads.ts";

/**
 * Whether the link under a channel has room. ssh2 writes to its socket without looking at what the socket says
 * (lib/client.js, `onWrite`), so a channel alone never feels a slow line: without this, ten downloads over 4 Mbit/s
 * queued 38 MB and a small request waited a minute.
 */
export interface LinkPressure {
  isFull(): boolean;
  /** Calls back once, when there is room again or the link has closed. */
  onceDrained(callback: () => void): void;
}

/** What passed when a join is over. */
export interface JoinResult {
  /** Bytes from `a` to `b` and back. */
  bytesAToB: number;
  bytesBToA: number;
  /** Set when a side failed or vanished before both had ended. */
  error?: Error;
}

/**
 * Moves bytes both ways until both sides have ended, with half-close kept: the end of one direction is passed on and
 * the other direction goes on (RFC 4254 section 5.3 for channels, RFC 9293 section 3.6 for TCP). A side that fails or
 * closes early takes the other with it; one that closes after its own end leaves the other the time to hand on what
 * it was given, however long its reader takes. Bytes that were read from a stream before are gone; an end that was
 * seen before is passed on. Sockets must be made with `allowHalfOpen`. A stream's errors are handled here from the
 * call on.
 *
 * @param linkOfB pressure of the SSH link under `b`; reads from `a` pause while it is full, once `a` has said much
 * @param done called exactly once, when both streams have closed
 */
export function join(
  a: Duplex,
  b: Duplex,
  linkOfB: LinkPressure | undefined,
  done: (result: JoinResult) => void,
): void {
  const result: JoinResult = { bytesAToB: 0, bytesBToA: 0 };
  const sideA: Side = { stream: a, ended: false, gone: false, closed: false };
  const sideB: Side = { stream: b, ended: false, gone: false, closed: false };
  let finished = false;
  let unpaid = 0;

  a.on("data", (chunk: Buffer) => {
    if (sideB.gone || b.writableEnded) return;
    result.bytesAToB += chunk.length;
    if (!b.write(chunk)) a.pause();
    else if (!linkOfB?.isFull()) unpaid = 0;
    else {
      unpaid += chunk.length;
      if (unpaid >= FREE_BYTES) awaitLink(linkOfB);
    }
  });
  b.on("drain", () => {
    if (linkOfB?.isFull()) awaitLink(linkOfB);
    else a.resume();
  });
  b.on("data", (chunk: Buffer) => {
    if (sideA.gone || a.writableEnded) return;
    result.bytesBToA += chunk.length;
    const hasRoom = a.write(chunk);
    if (isWritten(a)) letGo(chunk);
    // Node asks to wait after each large piece, even when the system has taken all of it already.
    else if (!hasRoom) b.pause();
  });
  a.on("drain", () => b.resume());

  watch(sideA, sideB);
  watch(sideB, sideA);
  // A stream that was paused before stays so when it only gets a listener.
  a.resume();
  b.resume();

  function awaitLink(link: LinkPressure): void {
    a.pause();
    link.onceDrained(() => {
      unpaid = 0;
      a.resume();
    });
  }

  function watch(side: Side, other: Side): void {
    const { stream } = side;
    stream.on("end", () => ended(side, other));
    stream.on("finish", () => {
      // We end a stream only when the other one has ended. ssh2 does it by itself when the peer has closed the
      // channel: the only sign of an abort while the channel is paused, since its `close` waits for a reader.
      if (!other.ended) gone(side, other);
      else if (other.gone) cut(side);
    });
    stream.on("error", (error: Error) => {
      result.error ??= error;
      gone(side, other);
    });
    stream.on("close", () => closed(side, other));
    if (stream.readableEnded) ended(side, other);
    if (stream.closed) queueMicrotask(() => closed(side, other));
  }

  function ended(side: Side, other: Side): void {
    if (side.ended) return;
    side.ended = true;
    other.stream.end();
  }

  function closed(side: Side, other: Side): void {
    side.closed = true;
    gone(side, other);
    if (!other.closed || finished) return;
    finished = true;
    if (!side.ended || !other.ended)
      result.error ??= new Error("A stream closed before both had ended.");
    done(result);
  }

  // Nothing more comes from this side or reaches it. A close without an end before it is an abort: the other side is
  // cut too, and what it holds is not sent, so that a message is not completed by chance.
  function gone(side: Side, other: Side): void {
    if (side.gone) return;
    side.gone = true;
    cut(side);
    if (!side.ended || other.stream.writableFinished) cut(other);
    // What the other still says is thrown away, but it has to be read: a paused stream does not report its end.
    else other.stream.resume();
  }
}

// Whoever says no more than this while the link is full does not wait in line with those who fill it.
const FREE_BYTES = 16 * 1024;

interface Side {
  readonly stream: Duplex;
  /** It has said all that it had to say. */
  ended: boolean;
  /** Nothing can be read from it or written to it any more. */
  gone: boolean;
  /** Its `close` was seen. */
  closed: boolean;
}

// ssh2's channels close only once they have been read to their end, even when they are destroyed.
function cut({ stream }: Side): void {
  stream.destroy();
  stream.resume();
}
