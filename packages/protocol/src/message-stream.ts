// Control messages over any byte stream: cuts lines, bounds them, hands them on in order.
import type { Duplex } from "node:stream";
import { MAX_MESSAGE_BYTES } from "./limits.ts";
import {
  encodeMessage,
  MessageError,
  type ClientMessage,
  type EdgeMessage,
} from "./messages.ts";

/** One end of a control channel. */
export interface MessageStream<Out> {
  /**
   * Sends a message. Does nothing once the stream is closed.
   * @returns false when the peer is slow and `queuedBytes` grows (messages that can be left out should be then), or
   *   when the stream is closed
   * @throws MessageError when the message is too long
   */
  send(message: Out): boolean;
  /** Bytes that wait because the peer does not read. */
  readonly queuedBytes: number;
}

/**
 * Speaks the control protocol over `stream`. Reads begin at once; a malformed or over-long line calls `onError` and
 * nothing after it is handed on, nor is anything once the stream was destroyed. Does not close the stream and does not
 * listen to its errors: whoever opened it does. A last line without its newline is dropped.
 *
 * @param parse parseClientMessage at the edge, parseEdgeMessage at the client
 */
export function createMessageStream<
  In,
  Out extends ClientMessage | EdgeMessage,
>(
  stream: Duplex,
  parse: (line: string) => In,
  onMessage: (message: In) => void,
  onError: (error: MessageError) => void,
): MessageStream<Out> {
  let rest = NOTHING;
  let failed = false;

  stream.on("data", (chunk: Buffer) => {
    if (failed || stream.destroyed) return;
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let newline: number;
    while ((newline = rest.indexOf(0x0a)) >= 0 && newline < MAX_MESSAGE_BYTES) {
      const line = rest.toString("utf8", 0, newline);
      rest = rest.subarray(newline + 1);
      let message: In;
      try {
        message = parse(line);
      } catch (error) {
        if (!(error instanceof MessageError)) throw error;
        return fail(error);
      }
      onMessage(message);
      if (stream.destroyed) return;
    }
    // An empty piece would keep the whole chunk for as long as nothing is said.
    if (rest.length === 0) rest = NOTHING;
    if (rest.length >= MAX_MESSAGE_BYTES)
      fail(
        new MessageError(
          `A control message is longer than ${MAX_MESSAGE_BYTES} bytes.`,
        ),
      );
  });

  function fail(error: MessageError): void {
    failed = true;
    rest = NOTHING;
    onError(error);
  }

  return new Sender<Out>(stream);
}

const NOTHING: Buffer = Buffer.alloc(0);

class Sender<
  Out extends ClientMessage | EdgeMessage,
> implements MessageStream<Out> {
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  get queuedBytes(): number {
    return this.#stream.writableLength;
  }

  send(message: Out): boolean {
    return this.#stream.writable && this.#stream.write(encodeMessage(message));
  }
}
