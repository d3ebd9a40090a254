// The body of a plain request: as many bytes behind its head as that has said.
import { kept } from "@expose/protocol";
import type { Socket } from "node:net";
import type { BodyReader, VisitorBody } from "./visitor-body.ts";

/** What is read of a body that nobody takes yet before the rest is left in the socket. */
const MAX_HELD_BYTES = 16 * 1024;

/** One body. It counts what the lane gives it, and stops the socket while its reader does not keep up. */
export class PlainBody implements VisitorBody {
  readonly #socket: Socket;
  #toCome: number;
  #reader: BodyReader | undefined;
  #paused = false;
  /** What came and was not taken. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #socketStopped = false;
  readableEnded = false;

  /** @param length bytes, more than 0 */
  constructor(socket: Socket, length: number) {
    this.#socket = socket;
    this.#toCome = length;
  }

  get complete(): boolean {
    return this.#toCome === 0;
  }

  /** Takes what came on the connection. @returns how many of the bytes are its own; what is behind them is not */
  take(bytes: Buffer): number {
    const piece =
      bytes.length > this.#toCome ? bytes.subarray(0, this.#toCome) : bytes;
    if (piece.length === 0) return 0;
    this.#toCome -= piece.length;
    // While it is wanted nothing is held.
    if (this.#isWanted) this.#reader!.onPiece(piece);
    else this.#hold(piece);
    this.#flow();
    return piece.length;
  }

  readBy(reader: BodyReader): void {
    this.#reader = reader;
    this.resume();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#flow();
  }

  get #isWanted(): boolean {
    return this.#reader !== undefined && !this.#paused;
  }

  // Up to a bound it is read even if nobody wants it, since a visitor who goes away is heard of only by reading.
  #hold(piece: Buffer): void {
    this.#held.push(kept(piece));
    this.#heldBytes += piece.length;
    if (this.#heldBytes < MAX_HELD_BYTES || this.complete) return;
    this.#socketStopped = true;
    this.#socket.pause();
  }

  // Whoever is told may pause, or read on, before it returns.
  #flow(): void {
    while (this.#isWanted && this.#held.length > 0) {
      const piece = this.#held.shift()!;
      this.#heldBytes -= piece.length;
      this.#reader!.onPiece(piece);
    }
    if (!this.#isWanted || this.#held.length > 0 || this.readableEnded) return;
    if (this.complete) {
      this.readableEnded = true;
      this.#reader!.onBodyEnd([]);
    } else if (this.#socketStopped) {
      this.#socketStopped = false;
      this.#socket.resume();
    }
  }
}
