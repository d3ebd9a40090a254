// Shares one SSH connection among those who write to its channels. Whoever has much to send waits in line and gets one
// piece at a time; whoever has little does not wait at all. What is not sent yet stays with its source, so that there
// is no queue in which a small answer could get stuck.
import type { LinkPressure } from "./join.ts";

/** Pressure that its connection keeps up to date. */
export interface FairLink extends LinkPressure {
  /** Adds a reason to be full. @param room bytes that may be handed to the connection now; zero or less: none */
  limitBy(room: () => number): void;
  /** Looks again; to be called whenever there may be room. */
  wake(): void;
  /** Calls everyone back: there is nothing left to wait for. */
  close(): void;
}

// What a stream brings when it is woken up: Node reads as much at once.
const PIECE_BYTES = 64 * 1024;
// They are woken a few at a time, since what they bring is not there at once.
const MAX_AT_ONCE = 8;

/**
 * @param socketRoom bytes that the socket may be given now; zero or less: none
 * @param below the link that carries this one, when its socket is a channel itself
 */
export function createFairLink(
  socketRoom: () => number,
  below?: LinkPressure,
): FairLink {
  let pathRoom: (() => number) | undefined;
  let waiting: (() => void)[] = [];
  let waking = false;
  let asking = false;
  let closed = false;

  const room = (): number => {
    const inSocket = socketRoom();
    return pathRoom === undefined || inSocket <= 0
      ? inSocket
      : Math.min(inSocket, pathRoom());
  };
  const isFull = (): boolean =>
    !closed && (room() <= 0 || below?.isFull() === true);

  function wake(): void {
    if (waking || waiting.length === 0) return;
    if (isFull()) return askBelow();
    const pieces = Math.max(1, Math.ceil(room() / PIECE_BYTES));
    const batch = waiting.splice(0, Math.min(MAX_AT_ONCE, pieces));
    for (const callback of batch) callback();
    if (waiting.length === 0) return;
    // Those just woken read in the next turn of the event loop and write what they read, which may fill the link again.
    waking = true;
    setImmediate(() =>
      setImmediate(() => {
        waking = false;
        wake();
      }),
    );
  }

  function askBelow(): void {
    if (asking || below?.isFull() !== true) return;
    asking = true;
    below.onceDrained(() => {
      asking = false;
      wake();
    });
  }

  return {
    isFull,
    onceDrained(callback) {
      if (closed) return callback();
      waiting.push(callback);
      // It may have drained before somebody asked; then nobody calls wake().
      wake();
    },
    limitBy(another) {
      pathRoom = another;
    },
    wake,
    close() {
      closed = true;
      const batch = waiting;
      waiting = [];
      for (const callback of batch) callback();
    },
  };
}
