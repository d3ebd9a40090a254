// One end of a raw connection, one character a byte: what came, how it ended, and every way of leaving it.
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** How somebody leaves a connection. */
export type Leaving =
  /** A reset: the other side loses what it has not read yet. */
  | "resets"
  /** An orderly end of both directions. */
  | "closes"
  /** An orderly end of what it says; it goes on listening. */
  | "half-closes";

/** How the other side ended a connection: in order, or not. */
export type Ending = "FIN" | "RST";

// Far above every time limit of these tests: whoever waits longer waits for ever.
const PATIENCE_MS = 8_000;
// An end comes at once, or not for its own reason: the edge closes what nobody has used for four seconds.
const SOON_MS = 3_500;

/** See the file's head. The socket must have been made with `allowHalfOpen`. */
export class Wire {
  readonly socket: Socket;
  /** What came so far. */
  text = "";
  /** How the other side ended it, once it has. */
  ended: Ending | undefined;
  /** Whether it is gone in both directions. */
  closed = false;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => {
      this.text += piece;
      this.#wake();
    });
    socket.on("end", () => {
      this.ended ??= "FIN";
      this.#wake();
    });
    socket.on("error", () => {
      this.ended ??= "RST";
      this.#wake();
    });
    socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  write(text: string): void {
    this.socket.write(text, "latin1");
  }

  leave(how: Leaving): void {
    if (how === "resets") this.socket.resetAndDestroy();
    else if (how === "closes") this.socket.destroySoon();
    else this.socket.end();
  }

  /** Waits until this text, or a match, has come. Fails when the other side ends before. */
  async until(pattern: string | RegExp): Promise<void> {
    const isThere = (): boolean =>
      typeof pattern === "string"
        ? this.text.includes(pattern)
        : pattern.test(this.text);
    await this.when(() => isThere() || this.over, String(pattern));
    if (!isThere()) throw this.#complaint(`${String(pattern)} never came`);
  }

  /** Waits until the other side has ended it, or both have. */
  untilEnded(): Promise<void> {
    return this.when(() => this.over, "the end", SOON_MS);
  }

  /** Waits until it is gone in both directions. */
  untilClosed(): Promise<void> {
    return this.when(() => this.closed, "the end in both directions", SOON_MS);
  }

  /** Waits for something that only changes when bytes or ends come. @param what it is, for whoever reads the failure */
  async when(
    condition: () => boolean,
    what: string,
    atMostMs = PATIENCE_MS,
  ): Promise<void> {
    const deadline = performance.now() + atMostMs;
    while (!condition()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw this.#complaint(`${what} did not come in time`);
      await this.change(leftMs);
    }
  }

  /** Whether nothing more will come. */
  get over(): boolean {
    return this.ended !== undefined || this.closed;
  }

  /** Waits until bytes or an end come, or for so long. */
  change(atMostMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer =
        atMostMs === undefined ? undefined : setTimeout(done, atMostMs);
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #complaint(what: string): Error {
    const state = this.ended ?? (this.closed ? "closed" : "open");
    return new Error(
      `${what} (${state}): ${JSON.stringify(this.text.slice(0, 1_000))}`,
    );
  }
}

/** Connects to a port of this machine. Whoever dials destroys the socket. @param from an address of this machine */
export async function dial(port: number, from?: string): Promise<Wire> {
  const socket = connect({
    ...{ port, host: "127.0.0.1", allowHalfOpen: true },
    ...(from !== undefined && { localAddress: from }),
  });
  const wire = new Wire(socket);
  await once(socket, "connect");
  return wire;
}
