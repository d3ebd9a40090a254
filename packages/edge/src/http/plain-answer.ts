// Writes the answer to a plain request onto the visitor's socket: framed as HTTP/1.1, in as few writes as possible.
import { kept } from "@expose/protocol";
import type { Socket } from "node:net";
import { STATUS_CODES } from "node:http";
import type { VisitorResponse } from "./visitor-message.ts";
import { writeTogether } from "./write-together.ts";

// Below this, copying a piece behind its head costs less than handing the system two.
const COPY_BELOW = 16 * 1024;

/** One answer. It behaves as Node's ServerResponse does, for a visitor who speaks HTTP/1.1 and waits for no 100. */
export class PlainAnswer implements VisitorResponse {
  readonly socket: Socket;
  readonly #isHead: boolean;
  readonly #now: () => number;
  readonly #keepAliveLines: string;
  /** Not sent yet. */
  #head = "";
  #chunked = false;
  #trailers = "";
  #onDrain: (() => void) | undefined;
  headersSent = false;
  sendDate = true;
  /** Whether the connection ends with it. */
  closes: boolean;

  /**
   * @param closes whether the visitor wants the connection to end with this answer
   * @param keepAliveLines header lines of an answer that does not end it
   * @param now milliseconds since 1970, for Date
   */
  constructor(
    socket: Socket,
    isHead: boolean,
    closes: boolean,
    keepAliveLines: string,
    now: () => number,
  ) {
    this.socket = socket;
    this.#isHead = isHead;
    this.closes = closes;
    this.#keepAliveLines = keepAliveLines;
    this.#now = now;
  }

  get keepsNothing(): boolean {
    return this.socket.writableLength === 0;
  }

  writeHead(status: number, headers: string[]): void;
  writeHead(status: number, reason: string, headers: string[]): void;
  writeHead(
    status: number,
    reasonOrHeaders: string | string[],
    more?: string[],
  ): void {
    const headers = more ?? (reasonOrHeaders as string[]);
    const reason =
      typeof reasonOrHeaders === "string"
        ? reasonOrHeaders
        : (STATUS_CODES[status] ?? "");
    let head = `HTTP/1.1 ${status} ${reason}\r\n`;
    let hasLength = false;
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = headers[i]!;
      // Told by their lengths first, as most are neither.
      if (name.length === 10 && name.toLowerCase() === "connection") {
        this.closes = true;
        continue;
      }
      if (name.length === 14 && name.toLowerCase() === "content-length")
        hasLength = true;
      head += `${name}: ${headers[i + 1]!}\r\n`;
    }
    if (this.sendDate)
      head += `Date: ${new Date(this.#now()).toUTCString()}\r\n`;
    head += this.closes ? "Connection: close\r\n" : this.#keepAliveLines;
    // RFC 9112 section 6.3: no body follows, or its length was said, or it comes in chunks.
    if (!hasLength && !this.#isHead && status !== 204 && status !== 304) {
      this.#chunked = true;
      head += "Transfer-Encoding: chunked\r\n";
    }
    this.#head = `${head}\r\n`;
    this.headersSent = true;
  }

  flushHeaders(): void {
    if (this.#head !== "") this.#send("", undefined, "");
  }

  write(chunk: Buffer): boolean {
    if (!this.#chunked) return this.#send("", chunk, "");
    // An empty chunk would be the last one.
    if (chunk.length === 0) return true;
    return this.#send(`${chunk.length.toString(16)}\r\n`, chunk, "\r\n");
  }

  addTrailers(trailers: [string, string][]): void {
    for (const [name, value] of trailers)
      this.#trailers += `${name}: ${value}\r\n`;
  }

  end(chunk?: Buffer): void {
    if (!this.#chunked) {
      if (chunk !== undefined || this.#head !== "")
        this.#send("", chunk, "", true);
      return;
    }
    if (chunk !== undefined) this.write(chunk);
    this.#send("", undefined, `0\r\n${this.#trailers}\r\n`);
  }

  /** Everything is handed to the socket as soon as it is known, so the answer has finished when it has ended. */
  once(event: "drain" | "finish", listener: () => void): void {
    if (event === "finish") process.nextTick(listener);
    else this.#onDrain = listener;
  }

  /** The socket has room again. */
  drained(): void {
    const listener = this.#onDrain;
    this.#onDrain = undefined;
    listener?.();
  }

  // A plain request expects no 100, and its answer is always written to a head of its own.
  writeContinue(): void {}
  removeHeader(): void {}

  #send(
    before: string,
    chunk: Buffer | undefined,
    after: string,
    isWhole = false,
  ): boolean {
    const { socket } = this;
    const head = this.#head + before;
    this.#head = "";
    if (chunk === undefined) return socket.write(head + after, "latin1");
    if (head === "" && after === "")
      return wrote(socket.write(kept(chunk)), socket);
    if (chunk.length < COPY_BELOW) {
      const whole = Buffer.allocUnsafe(
        head.length + chunk.length + after.length,
      );
      whole.write(head, 0, "latin1");
      chunk.copy(whole, head.length);
      if (after !== "")
        whole.write(after, head.length + chunk.length, "latin1");
      // Whoever ends the connection behind it looks at what the socket has still to send.
      if (!isWhole || this.closes) return socket.write(whole);
      writeTogether(socket, whole);
      return true;
    }
    socket.cork();
    socket.write(head, "latin1");
    let room = socket.write(kept(chunk));
    if (after !== "") room = socket.write(after, "latin1");
    socket.uncork();
    return wrote(room, socket);
  }
}

// Node asks to wait after each large piece, even when the system has taken all of it already.
const wrote = (room: boolean, socket: Socket): boolean =>
  room || socket.writableLength === 0;
