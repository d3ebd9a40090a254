// Moves a request's body from the visitor to the upstream: framed anew, one piece at a time, as fast as the slower side.
import { kept } from "@expose/protocol";
import { CHUNKED } from "./framing.ts";
import { mayBeTrailer } from "./header-kinds.ts";
import { readRequestHead } from "./request-head.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";
import type { Visit } from "./visit.ts";
import type { BodyReader, VisitorBody } from "./visitor-body.ts";

// Below this, copying a piece behind what goes before it costs less than another write (another packet, in a channel).
const COPY_BELOW = 16 * 1024;

/** The body of one request on its way. */
export class RequestBody implements BodyReader {
  readonly #visit: Visit;
  readonly #body: VisitorBody;
  readonly #connection: UpstreamConnection;
  readonly #chunked: boolean;
  /** Not sent yet: the head, until the first piece of the body or the end of this tick. */
  #unsent: string;
  #paused = false;
  #stopped = false;
  /** Whether all of it was handed to the connection. */
  done = false;
  /** When the last piece went, by the coarse clock. */
  movedAt: number;

  /** @param head the request's head when it goes out with the body, "" when it went before */
  constructor(
    visit: Visit,
    connection: UpstreamConnection,
    framing: number,
    head: string,
  ) {
    this.#visit = visit;
    // A framing is of a body.
    this.#body = visit.body!;
    this.#connection = connection;
    this.#chunked = framing === CHUNKED;
    this.#unsent = head;
    this.movedAt = visit.engine.coarseNow;
  }

  /** Whether it waits for the upstream to read (rather than for the visitor to send). */
  get blocked(): boolean {
    return this.#paused;
  }

  /** Begins to read from the visitor. */
  start(): void {
    this.#body.readBy(this);
    // What has come with the head already flows at once, or in the next tick before this: both go out in one write then.
    if (this.#unsent !== "") process.nextTick(() => this.#flushHead());
  }

  /** The connection has room again. */
  drained(): void {
    if (!this.#paused || this.#stopped) return;
    this.#paused = false;
    this.movedAt = this.#visit.engine.coarseNow;
    this.#body.resume();
  }

  /** Lets go of the visitor's side; what becomes of the rest is up to others. */
  stop(): void {
    this.#stopped = true;
    if (!this.done) this.#body.pause();
  }

  onPiece(piece: Buffer): void {
    const visit = this.#visit;
    visit.bytesIn += piece.length;
    this.movedAt = visit.engine.coarseNow;
    if (this.#send(piece)) return;
    this.#paused = true;
    this.#body.pause();
  }

  onBodyEnd(trailers: readonly string[]): void {
    if (this.#chunked) {
      this.#flushHead();
      const { rawHeaders } = this.#visit.request;
      const lines = trailerLines(trailers, rawHeaders);
      this.#connection.write(`0\r\n${lines}\r\n`);
    }
    this.done = true;
    this.movedAt = this.#visit.engine.coarseNow;
  }

  #send(piece: Buffer): boolean {
    const size = this.#chunked ? `${piece.length.toString(16)}\r\n` : "";
    const before = this.#unsent + size;
    const after = this.#chunked ? "\r\n" : "";
    this.#unsent = "";
    const connection = this.#connection;
    if (before === "") return connection.write(kept(piece));
    if (piece.length < COPY_BELOW) {
      const whole = Buffer.allocUnsafe(
        before.length + piece.length + after.length,
      );
      whole.write(before, 0, "latin1");
      piece.copy(whole, before.length);
      whole.write(after, before.length + piece.length, "latin1");
      return connection.write(whole);
    }
    connection.cork();
    connection.write(before);
    let room = connection.write(kept(piece));
    if (after !== "") room = connection.write(after);
    connection.uncork();
    return room;
  }

  #flushHead(): void {
    if (this.#unsent === "" || this.#stopped) return;
    const head = this.#unsent;
    this.#unsent = "";
    this.#connection.write(head);
  }
}

// Fields that would come too late to be checked, those that only the edge may set, and those that Connection names (RFC
// 9110 section 7.6.1) end here.
function trailerLines(
  raw: readonly string[],
  rawHeaders: readonly string[],
): string {
  if (raw.length === 0) return "";
  const { nominated } = readRequestHead(rawHeaders);
  let lines = "";
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (mayBeTrailer(raw[i]!) && !nominated?.has(raw[i]!.toLowerCase()))
      lines += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return lines;
}
