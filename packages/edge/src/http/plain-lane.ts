// The quick way for plain requests: they are read here and answered on the bare socket, for half of what Node's HTTP
// server takes for it. A connection that sends anything else is Node's from then on, together with the bytes that nobody
// has looked at: its parser stays the only one that ever judges hostile bytes.
import { kept, lendReads, type StopLending } from "@expose/protocol";
import type { Socket } from "node:net";
import { PlainAnswer } from "./plain-answer.ts";
import { PlainBody } from "./plain-body.ts";
import {
  mayBecomePlain,
  parsePlainRequest,
  type PlainRequest,
} from "./plain-request.ts";

/** Whom the lane works for. */
export interface LaneOwner {
  /** Serves a request. `finished` is called when its answer has ended. */
  receive(
    request: PlainRequest,
    body: PlainBody | undefined,
    response: PlainAnswer,
  ): void;
  /** A request has begun, and the lane waits for the rest of its head. */
  headBegun(): void;
  /** Whether what comes from now on is of no interest. */
  readonly ending: boolean;
  /** Gives the socket to Node's server, which reads on from the first byte that the lane did not take. */
  leaveLane(): void;
}

/** What an engine says about its lanes. */
export interface LaneOptions {
  /** Bytes of a request's head; what is longer is for Node to judge. */
  readonly maxHeadBytes: number;
  /** Header lines of answers that do not end the connection. */
  readonly keepAliveLines: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What a visitor may send ahead of an answer before it is left in the socket. */
const MAX_EARLY_BYTES = 16 * 1024;

/** Pieces of a head that are put together, each time anew; who sends more gets Node's answer. */
const MAX_PIECES = 16;

/** One connection's lane. */
export class PlainLane {
  readonly #socket: Socket;
  readonly #owner: LaneOwner;
  readonly #options: LaneOptions;
  readonly #stopLending: StopLending | undefined;
  #answer: PlainAnswer | undefined;
  /** Of the request at hand, or of one that was answered before it had come. Undefined once all of it has come. */
  #body: PlainBody | undefined;
  /** Of a head that has not come to its end. */
  #pieces: Buffer[] = [];
  /** What came while a request was being answered. */
  #early: Buffer[] = [];
  #earlyBytes = 0;

  constructor(socket: Socket, owner: LaneOwner, options: LaneOptions) {
    this.#socket = socket;
    this.#owner = owner;
    this.#options = options;
    this.#stopLending = lendReads(socket);
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
  }

  /** Whether a head has begun and not ended. */
  get inHead(): boolean {
    return this.#pieces.length > 0;
  }

  /** The answer has ended. @returns whether the connection ends with it, as the visitor was told */
  finished(): boolean {
    const closes = this.#answer?.closes === true;
    this.#answer = undefined;
    if (!closes && this.#early.length > 0 && !this.#owner.ending) this.#leave();
    return closes;
  }

  readonly #onData = (chunk: Buffer): void => {
    const behind = this.#body ? this.#takeBody(this.#body, chunk) : chunk;
    if (behind === undefined || this.#owner.ending) return;
    // Whoever takes the body may have had enough.
    if (this.#socket.destroyed) return;
    if (this.#answer) return this.#keep(behind);
    const bytes =
      this.#pieces.length > 0
        ? Buffer.concat([...this.#pieces, behind])
        : behind;
    // Whoever asks without reading waits for Node's turn, which comes when the answers have gone out.
    if (!this.#socket.writableNeedDrain) {
      const { maxHeadBytes } = this.#options;
      const request = parsePlainRequest(bytes, maxHeadBytes);
      if (request) return this.#serve(request, bytes);
      if (
        this.#pieces.length < MAX_PIECES &&
        mayBecomePlain(bytes, maxHeadBytes)
      )
        return this.#await(behind);
    }
    this.#early.push(kept(bytes));
    this.#leave();
  };

  #await(piece: Buffer): void {
    if (this.#pieces.push(kept(piece)) === 1) this.#owner.headBegun();
  }

  #serve(request: PlainRequest, chunk: Buffer): void {
    const { headBytes, bodyBytes, closes } = request;
    const { keepAliveLines, now } = this.#options;
    this.#pieces = [];
    this.#answer = new PlainAnswer(
      this.#socket,
      request.method === "HEAD",
      closes,
      keepAliveLines,
      now,
    );
    let body: PlainBody | undefined;
    if (bodyBytes > 0) {
      body = new PlainBody(this.#socket, bodyBytes);
      body.take(chunk.subarray(headBytes));
      if (!body.complete) this.#body = body;
    }
    this.#owner.receive(request, body, this.#answer);
  }

  // Returns what is behind the body, if anything is.
  #takeBody(body: PlainBody, chunk: Buffer): Buffer | undefined {
    const taken = body.take(chunk);
    if (body.complete) this.#body = undefined;
    return taken < chunk.length ? chunk.subarray(taken) : undefined;
  }

  // Pipelined: Node keeps the order of answers, once this one is out.
  #keep(chunk: Buffer): void {
    this.#early.push(kept(chunk));
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= MAX_EARLY_BYTES) this.#socket.pause();
  }

  #leave(): void {
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("drain", this.#onDrain);
    this.#stopLending?.();
    // Flowing, it would throw away what it is given back.
    socket.pause();
    for (const chunk of this.#early.toReversed()) socket.unshift(chunk);
    this.#early = [];
    this.#owner.leaveLane();
    socket.resume();
  }

  readonly #onDrain = (): void => this.#answer?.drained();
}
