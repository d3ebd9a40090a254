// A strict, incremental HTTP/1.1 response parser for one upstream connection. It cuts the byte stream into answers and
// copies no body byte. Whatever it does not take as HTTP/1.1 ends the connection.
import {
  MAX_CHUNK_EXTENSION_BYTES,
  MAX_INTERIM_RESPONSES,
  type HttpLimits,
} from "./limits.ts";
import {
  parseResponseHead,
  parseTrailers,
  type ResponseHead,
} from "./response-head.ts";

/** Hears what an answer is made of. A call may stop the parser or destroy the connection. */
export interface ResponseSink {
  /** A 1xx answer, 101 excepted; the final one follows. */
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  /**
   * @param chunk good until the call returns, see `kept` in protocol
   * @param last whether the answer is complete with it; `onEnd` follows all the same
   * @returns whether nobody needs the chunk any more; see `letGo` in protocol
   */
  onBody(chunk: Buffer, last: boolean): boolean;
  /**
   * The answer is complete.
   * @param trailers names and values in turn
   * @param reusable whether the connection is in a state to serve another request, as far as the answer tells
   */
  onEnd(trailers: readonly string[], reusable: boolean): void;
}

const IDLE = 0;
const HEAD = 1;
const LENGTH = 2;
const UNTIL_CLOSE = 3;
const CHUNK_SIZE = 4;
const CHUNK_EXTENSION = 5;
const CHUNK_SIZE_LF = 6;
const CHUNK_DATA = 7;
const CHUNK_DATA_CR = 8;
const CHUNK_DATA_LF = 9;
const TRAILERS = 10;

const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = Buffer.from("\r\n\r\n");
const PROTOCOL = Buffer.from("HTTP/1.");
const NO_TRAILERS: readonly string[] = [];

/** One for each connection; `start` it for each request. */
export class ResponseParser {
  readonly #limits: HttpLimits;
  #sink: ResponseSink | undefined;
  #state = IDLE;
  #isHead = false;
  #keepAlive = false;
  #interim = 0;
  /** What the answer's Connection names. */
  #nominated: ReadonlySet<string> | undefined;
  /** Body bytes still to come, of the answer (LENGTH) or of the chunk (CHUNK_*). */
  #left = 0;
  #digits = 0;
  #extensionBytes = 0;
  /** Bytes of a head or of trailers that is not complete yet. */
  #held: Buffer | undefined;
  #heldLength = 0;
  /** Whether somebody keeps a part of the bytes that `execute` took last. */
  isKept = false;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** Expects an answer. @param isHead whether the request was a HEAD, which is answered without a body */
  start(sink: ResponseSink, isHead: boolean): void {
    this.#sink = sink;
    this.#state = HEAD;
    this.#isHead = isHead;
    this.#interim = 0;
    this.#extensionBytes = 0;
    this.#heldLength = 0;
  }

  /** Forgets the answer that was expected; nothing more is told. */
  stop(): void {
    this.#sink = undefined;
    this.#state = IDLE;
    this.#held = undefined;
  }

  /**
   * Takes bytes from the upstream.
   * @returns false when they are not what HTTP/1.1 allows here; the connection must not be used any more
   */
  execute(chunk: Buffer): boolean {
    let at = 0;
    this.isKept = false;
    while (at < chunk.length) {
      switch (this.#state) {
        case HEAD: {
          const end = this.#holdUntilEmptyLine(chunk, at);
          if (end < 0) return end === INCOMPLETE;
          at = end;
          if (!this.#takeHead(chunk, at)) return false;
          break;
        }
        case LENGTH: {
          const body = this.#left;
          if (chunk.length - at < body) {
            this.#left -= chunk.length - at;
            this.#tell(at === 0 ? chunk : chunk.subarray(at), false);
            return true;
          }
          const piece =
            at === 0 && body === chunk.length
              ? chunk
              : chunk.subarray(at, at + body);
          at += body;
          this.#tell(piece, true);
          this.#finish(NO_TRAILERS, at === chunk.length);
          return true;
        }
        case UNTIL_CLOSE:
          this.#tell(at === 0 ? chunk : chunk.subarray(at), false);
          return true;
        case TRAILERS: {
          const end = this.#holdUntilEmptyLine(chunk, at);
          if (end < 0) return end === INCOMPLETE;
          return this.#takeTrailers(end === chunk.length);
        }
        case IDLE:
          // Stopped, or bytes behind a complete answer: `onEnd` has said so already.
          return true;
        default:
          at = this.#takeChunks(chunk, at);
          if (at < 0) return false;
      }
    }
    return true;
  }

  /**
   * The upstream has ended its side.
   * @returns whether that completed the answer, which it does only where nothing else says how long it is
   */
  finish(): boolean {
    if (this.#state !== UNTIL_CLOSE) return false;
    this.#finish(NO_TRAILERS, false);
    return true;
  }

  #tell(piece: Buffer, last: boolean): void {
    if (!this.#sink!.onBody(piece, last)) this.isKept = true;
  }

  // Gathers bytes up to and with an empty line. Trailers may begin with it, a head may not.
  // Returns where they end in the chunk, INCOMPLETE or INVALID.
  #holdUntilEmptyLine(chunk: Buffer, at: number): number {
    const fresh = at === 0 ? chunk : chunk.subarray(at);
    if (this.#heldLength === 0) {
      const end = this.#emptyLineIn(fresh, 0);
      if (end > this.#limits.responseHeadBytes) return INVALID;
      if (end >= 0) {
        this.#held = fresh;
        this.#heldLength = end;
        return at + end;
      }
    }
    const before = this.#heldLength;
    // Held bytes are a copy: one that grows by doubling, or an answer that comes byte by byte would be copied again
    // and again.
    const room = Math.min(
      fresh.length,
      this.#limits.responseHeadBytes - before,
    );
    this.#hold(fresh.subarray(0, room));
    const held = this.#held!.subarray(0, this.#heldLength);
    const end = this.#emptyLineIn(held, Math.max(0, before - 3));
    if (end >= 0) {
      this.#heldLength = end;
      return at + end - before;
    }
    if (room < fresh.length) return INVALID;
    // What can no longer become an answer is told at once, or it would be waited for until the limit.
    if (this.#state === HEAD && !beginsLikeHttp(held)) return INVALID;
    return onlyCrlf(held, Math.max(0, before - 1)) ? INCOMPLETE : INVALID;
  }

  #emptyLineIn(bytes: Buffer, from: number): number {
    if (
      this.#state === TRAILERS &&
      bytes.length >= 2 &&
      bytes[0] === CR &&
      bytes[1] === LF
    )
      return 2;
    const found = bytes.indexOf(HEAD_END, from);
    return found < 0 ? -1 : found + HEAD_END.length;
  }

  #hold(bytes: Buffer): void {
    const length = this.#heldLength + bytes.length;
    let held = this.#held;
    if (this.#heldLength === 0)
      held = Buffer.allocUnsafe(Math.max(1_024, length));
    else if (held!.length < length) {
      held = Buffer.allocUnsafe(Math.max(held!.length * 2, length));
      this.#held!.copy(held, 0, 0, this.#heldLength);
    }
    bytes.copy(held!, this.#heldLength);
    this.#held = held;
    this.#heldLength = length;
  }

  // The text that is held, without its last two line ends.
  #heldText(): string {
    const text = this.#held!.toString(
      "latin1",
      0,
      Math.max(0, this.#heldLength - 4),
    );
    this.#held = undefined;
    this.#heldLength = 0;
    return text;
  }

  #takeHead(chunk: Buffer, at: number): boolean {
    const head = parseResponseHead(this.#heldText(), this.#limits.headerFields);
    if (head === undefined) return false;
    const { status } = head;
    if (status < 200) {
      // Switching protocols was not asked for (RFC 9110 section 15.2.2), and a flood is an attack.
      if (status === 101 || ++this.#interim > MAX_INTERIM_RESPONSES)
        return false;
      this.#sink!.onInterim(head);
      return true;
    }
    // RFC 9112 section 6.3, in its order.
    const noBody = this.#isHead || status === 204 || status === 304;
    this.#keepAlive = head.keepAlive;
    this.#nominated = head.nominated;
    this.#left = noBody ? 0 : head.contentLength;
    this.#state = noBody
      ? LENGTH
      : head.chunked
        ? CHUNK_SIZE
        : head.contentLength >= 0
          ? LENGTH
          : UNTIL_CLOSE;
    if (this.#state === CHUNK_SIZE) this.#startChunk();
    this.#sink!.onHead(head);
    if (this.#state === LENGTH && this.#left === 0)
      this.#finish(NO_TRAILERS, at === chunk.length);
    return true;
  }

  #takeTrailers(clean: boolean): boolean {
    const trailers = parseTrailers(
      this.#heldText(),
      this.#limits.headerFields,
      this.#nominated,
    );
    if (trailers === undefined) return false;
    this.#finish(trailers, clean);
    return true;
  }

  // From a chunk's size to the line end behind its data. Returns where it stopped; -1 for what no chunk is made of.
  #takeChunks(chunk: Buffer, at: number): number {
    while (at < chunk.length) {
      const byte = chunk[at]!;
      switch (this.#state) {
        case CHUNK_SIZE: {
          const digit = hexDigit(byte);
          if (digit >= 0) {
            // 13 digits are below 2^52. Leading zeros count, or a size could go on for ever.
            if (++this.#digits > 13) return -1;
            this.#left = this.#left * 16 + digit;
          } else if (this.#digits === 0) return -1;
          else if (byte === CR) this.#state = CHUNK_SIZE_LF;
          else if (byte === 0x3b) this.#state = CHUNK_EXTENSION;
          else return -1;
          at++;
          break;
        }
        case CHUNK_EXTENSION:
          if (byte === CR) this.#state = CHUNK_SIZE_LF;
          else if (
            (byte < 0x20 && byte !== 0x09) ||
            byte === 0x7f ||
            ++this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES
          )
            return -1;
          at++;
          break;
        case CHUNK_SIZE_LF:
          if (byte !== LF) return -1;
          at++;
          this.#state = this.#left === 0 ? TRAILERS : CHUNK_DATA;
          if (this.#state === TRAILERS) return at;
          break;
        case CHUNK_DATA: {
          const length = Math.min(this.#left, chunk.length - at);
          this.#left -= length;
          if (this.#left === 0) this.#state = CHUNK_DATA_CR;
          const piece = chunk.subarray(at, at + length);
          at += length;
          this.#tell(piece, false);
          if (this.#state === IDLE) return chunk.length;
          break;
        }
        case CHUNK_DATA_CR:
          if (byte !== CR) return -1;
          at++;
          this.#state = CHUNK_DATA_LF;
          break;
        default:
          if (byte !== LF) return -1;
          at++;
          this.#startChunk();
      }
    }
    return at;
  }

  #startChunk(): void {
    this.#state = CHUNK_SIZE;
    this.#left = 0;
    this.#digits = 0;
  }

  // Always the last thing that is done: the sink may start this parser anew.
  #finish(trailers: readonly string[], clean: boolean): void {
    const sink = this.#sink;
    const reusable = clean && this.#keepAlive && this.#state !== UNTIL_CLOSE;
    this.#sink = undefined;
    this.#state = IDLE;
    sink?.onEnd(trailers, reusable);
  }
}

const INCOMPLETE = -1;
const INVALID = -2;

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function beginsLikeHttp(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, PROTOCOL.length);
  return bytes.compare(PROTOCOL, 0, length, 0, length) === 0;
}

// Whether each LF so far stands behind a CR.
function onlyCrlf(bytes: Buffer, from: number): boolean {
  for (
    let lf = bytes.indexOf(LF, from);
    lf >= 0;
    lf = bytes.indexOf(LF, lf + 1)
  )
    if (lf === 0 || bytes[lf - 1] !== CR) return false;
  return true;
}
