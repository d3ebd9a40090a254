// Joins two byte streams, as every tunnelled connection ends up being: the one place where that is done.
import type { Duplex } from "node:stream";

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
 * closes early takes the other with it. Neither stream may have been read before; a stream's errors are handled here
 * from the call on.
 *
 * @param linkOfB pressure of the SSH link under `b`; reads from `a` pause while it is full
 * @param done called exactly once, when both streams have closed or been destroyed
 */
export function join(
  a: Duplex,
  b: Duplex,
  linkOfB: LinkPressure | undefined,
  done: (result: JoinResult) => void,
): void {
  const result: JoinResult = { bytesAToB: 0, bytesBToA: 0 };
  let endsSeen = 0;
  let closesSeen = 0;
  let finished = false;

  a.on("data", (chunk: Buffer) => {
    result.bytesAToB += chunk.length;
    if (!b.write(chunk)) {
      a.pause();
    } else if (linkOfB?.isFull()) {
      a.pause();
      linkOfB.onceDrained(() => a.resume());
    }
  });
  b.on("drain", () => {
    if (linkOfB?.isFull()) linkOfB.onceDrained(() => a.resume());
    else a.resume();
  });
  b.on("data", (chunk: Buffer) => {
    result.bytesBToA += chunk.length;
    if (!a.write(chunk)) b.pause();
  });
  a.on("drain", () => b.resume());

  a.on("end", () => ended(b));
  b.on("end", () => ended(a));
  a.on("error", fail);
  b.on("error", fail);
  a.on("close", () => closed(b));
  b.on("close", () => closed(a));

  function ended(other: Duplex): void {
    endsSeen++;
    other.end();
  }

  // A close without an end before it is an abort: the other side must not take it for a complete message.
  function closed(other: Duplex): void {
    closesSeen++;
    if (endsSeen < 2 && !other.destroyed) other.destroy();
    if (closesSeen === 2) finish();
  }

  function fail(error: Error): void {
    result.error ??= error;
    a.destroy();
    b.destroy();
  }

  function finish(): void {
    if (finished) return;
    finished = true;
    done(result);
  }
}
