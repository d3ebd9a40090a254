// One connection through a forward, as the pool keeps it: serves one request at a time, and knows when it must not serve
// another.
import { lendReads, letGo, type LinkPressure } from "@expose/protocol";
import type { Duplex } from "node:stream";
import type { ForwardedConnection } from "../ingress/forward.ts";
import type { HttpLimits } from "./limits.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";
import { writeAtTurnEnd } from "./write-together.ts";

/** Why a connection ended before the answer was complete. */
export type ConnectionFailure =
  /** The upstream (or the tunnel) closed it. */
  | "closed"
  /** The answer is no HTTP/1.1. */
  | "invalid"
  /** The edge itself failed on it; `onBug` has heard of it. */
  | "bug";

/** Whoever uses the connection for a request. */
export interface ConnectionUser extends ResponseSink {
  /** All bytes of one read were told; more may take a while. */
  onPause(): void;
  /** The connection has room for more of the request. */
  onDrain(): void;
  /** The connection is of no use any more, and the answer is not complete. Called at most once, and nothing after it. */
  onFailure(failure: ConnectionFailure): void;
}

/** A pooled connection. Whoever makes it hears through `onGone` when it has closed. */
export class UpstreamConnection {
  readonly #stream: Duplex;
  readonly #link: LinkPressure | undefined;
  readonly #parser: ResponseParser;
  readonly #onGone: (connection: UpstreamConnection) => void;
  readonly #onBug: (error: unknown) => void;
  #user: ConnectionUser | undefined;
  #waitsForLink = false;
  /** Whether it has served a request already; until then it is as good as new, however long it was open. */
  served = false;
  /** Whether it was opened before anybody needed it. */
  spare = false;
  /** Whether a byte of an answer came for the request at hand. */
  answered = false;
  /** When it was given back, by the engine's clock, and how long it may wait from then. */
  idleSince = 0;
  idleLimitMs = 0;

  constructor(
    connection: ForwardedConnection,
    limits: HttpLimits,
    onGone: (connection: UpstreamConnection) => void,
    onBug: (error: unknown) => void,
  ) {
    const { stream } = connection;
    this.#stream = stream;
    this.#link = connection.link;
    this.#parser = new ResponseParser(limits);
    this.#onGone = onGone;
    this.#onBug = onBug;
    lendReads(stream);
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("drain", () => this.#drained());
    stream.on("end", () => this.#ended());
    // What failed is of no interest to a visitor, and `close` follows.
    stream.on("error", () => this.#fail("closed"));
    stream.on("close", () => {
      this.#fail("closed");
      this.#onGone(this);
    });
    stream.resume();
  }

  /** Whether it can take a request. */
  get usable(): boolean {
    return this.#stream.writable && !this.#stream.destroyed;
  }

  /** Begins a request. @param isHead whether its method is HEAD */
  begin(user: ConnectionUser, isHead: boolean): void {
    this.#user = user;
    this.answered = false;
    this.#parser.start(user, isHead);
  }

  /**
   * Sends a request that has no body. Where each connection is a socket of its own it leaves at the end of the turn, behind
   * those of other visitors: sshd, woken by the first, then finds several at once. Links put packets together themselves.
   */
  writeWhole(head: string): void {
    if (this.#link) this.write(head);
    else writeAtTurnEnd(this.#stream, head);
  }

  /** Sends a piece of the request. @returns false when it should wait for `onDrain` with the next one */
  write(data: Buffer | string): boolean {
    const room =
      typeof data === "string"
        ? this.#stream.write(data, "latin1")
        : this.#stream.write(data);
    if (!room) return false;
    if (!this.#link?.isFull()) return true;
    this.#awaitLink(this.#link);
    return false;
  }

  /** Groups the writes up to the matching `uncork` into one. */
  cork(): void {
    this.#stream.cork();
  }

  uncork(): void {
    this.#stream.uncork();
  }

  /** Stops to read until `resume`, because the visitor does not keep up. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Ends the use. The connection must be given back to its pool or destroyed then. */
  release(): void {
    this.#user = undefined;
    this.served = true;
    this.#parser.stop();
    if (this.#stream.isPaused()) this.#stream.resume();
  }

  /** Ends both ways at once. Tells the user nothing. Idempotent. */
  destroy(): void {
    this.#user = undefined;
    this.#parser.stop();
    this.#stream.destroy();
  }

  /** Ends both ways at once and tells the user. Idempotent. */
  abandon(): void {
    this.#fail("closed");
  }

  #take(chunk: Buffer): void {
    // Nobody asked. It may be a server's farewell (408), and it may be an answer meant for the next visitor.
    if (this.#user === undefined) return this.destroy();
    this.answered = true;
    try {
      if (!this.#parser.execute(chunk)) return this.#fail("invalid");
      // Heads it has copied.
      if (!this.#parser.isKept) letGo(chunk);
      this.#user?.onPause();
    } catch (error) {
      this.#onBug(error);
      this.#fail("bug");
    }
  }

  #ended(): void {
    try {
      if (this.#user !== undefined && this.#parser.finish()) return;
    } catch (error) {
      this.#onBug(error);
      return this.#fail("bug");
    }
    this.#fail("closed");
  }

  #fail(failure: ConnectionFailure): void {
    const user = this.#user;
    this.destroy();
    try {
      user?.onFailure(failure);
    } catch (error) {
      this.#onBug(error);
    }
  }

  #drained(): void {
    if (this.#link?.isFull()) this.#awaitLink(this.#link);
    else this.#user?.onDrain();
  }

  #awaitLink(link: LinkPressure): void {
    if (this.#waitsForLink) return;
    this.#waitsForLink = true;
    link.onceDrained(() => {
      this.#waitsForLink = false;
      this.#user?.onDrain();
    });
  }
}
