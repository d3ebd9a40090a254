// What the phases know of the body of a visitor's request, whoever reads it off the connection: Node's HTTP server, or the
// quick lane for plain requests (plain-lane.ts).

/** Whoever takes a request's body, piece by piece. */
export interface BodyReader {
  /** @param piece good until this returns, as lent-reads.ts has it: what is kept of it must be what `kept` gives */
  onPiece(piece: Buffer): void;
  /** All of it was taken. @param trailers names and values in turn */
  onBodyEnd(trailers: readonly string[]): void;
}

/** The body of a request, on its way from the visitor. Waits, in bounded memory, until it is read. */
export interface VisitorBody {
  /** Whether all of it has come, though its reader may not have all of it yet. */
  readonly complete: boolean;
  /** Whether its reader has all of it. */
  readonly readableEnded: boolean;
  /** Gives what has come and what comes to a reader, in place of the one before; the first pieces maybe at once. */
  readBy(reader: BodyReader): void;
  /** Keeps the rest back, and so the visitor from sending it, until `resume` or another reader. */
  pause(): void;
  resume(): void;
}
