// How a visitor's connection ends: what is unread is read first, because a socket that is closed with bytes unread answers
// with a reset, which takes away an answer that its visitor has not read yet. And notices when nothing moves any more.
import type { Socket } from "node:net";
import type { Engine } from "./engine.ts";
import { MAX_DRAINED_BYTES } from "./limits.ts";
import type { BodyReader, VisitorBody } from "./visitor-body.ts";

/** The end of one connection, whenever it comes. */
export class ConnectionEnd {
  readonly #engine: Engine;
  readonly #socket: Socket;
  #drainedBytes = 0;
  /** When the rest of a body, or of a broken connection, has been read long enough. 0: nothing is being drained. */
  #drainUntil = 0;
  /** What had gone out at the last look, and when that last changed. */
  #bytesWritten = 0;
  #movedAt: number;

  constructor(engine: Engine, socket: Socket) {
    this.#engine = engine;
    this.#socket = socket;
    this.#movedAt = engine.coarseNow;
  }

  /** Whether something is read that nobody wants, so that the connection can end or go on. */
  get draining(): boolean {
    return this.#drainUntil > 0;
  }

  /** From now on what comes is read to be thrown away, for a while. */
  drain(): void {
    this.#drainedBytes = 0;
    this.#drainUntil = this.#engine.coarseNow + this.#engine.timeouts.drainMs;
  }

  /** Half-closes, and closes when the visitor has, or has had time to. */
  soon(): void {
    if (!this.draining) this.drain();
    this.#socket.end();
  }

  /** Closes as soon as all has gone out. For a visitor who has asked for it, and so sends nothing that is left unread. */
  now(): void {
    if (this.#socket.writableLength === 0) this.#socket.destroy();
    else this.#socket.destroySoon();
  }

  /**
   * Closes in the middle of an answer, as soon as what there is of it has gone out.
   *
   * @param reset whether the end of the connection would pass for the end of the answer
   */
  breakOff(reset: boolean): void {
    const socket = this.#socket;
    if (reset) socket.write("", () => socket.resetAndDestroy());
    else socket.destroySoon();
  }

  /**
   * Reads what is left of a body that was answered, or the next request is never reached; but not for ever.
   *
   * @param onEnd called when all of it was read; says whether the connection goes on
   */
  finishReading(
    body: VisitorBody,
    isUpgrade: boolean,
    onEnd: () => boolean,
  ): void {
    if (body.readableEnded) return;
    if (body.complete && !isUpgrade) return body.readBy(nobody);
    this.drain();
    // Node closes the socket itself behind an answer that says so.
    this.#socket.destroySoon = () => this.soon();
    if (isUpgrade) {
      this.#socket.resume();
      return;
    }
    body.readBy({
      onPiece: (piece) => {
        this.#drainedBytes += piece.length;
        if (this.#drainedBytes > MAX_DRAINED_BYTES) this.#socket.destroy();
      },
      onBodyEnd: () => {
        if (onEnd()) this.#drainUntil = 0;
      },
    });
  }

  /** Whether a time limit has passed. @param now by the engine's clock */
  isOverdue(now: number): boolean {
    const { bytesWritten, writableLength } = this.#socket;
    if (writableLength > 0 && bytesWritten === this.#bytesWritten)
      return now - this.#movedAt > this.#engine.timeouts.visitorStallMs;
    this.#bytesWritten = bytesWritten;
    this.#movedAt = now;
    return this.draining && now > this.#drainUntil && writableLength === 0;
  }
}

const nobody: BodyReader = { onPiece() {}, onBodyEnd() {} };
