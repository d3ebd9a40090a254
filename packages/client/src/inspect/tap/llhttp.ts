// The door to llhttp, Node's own HTTP/1 parser, as the WebAssembly that undici ships. Nothing else of undici is used.
// docs/decisions/0008-capture.md says why; llhttp.test.ts fails when an upgrade of undici changes what is behind the door.
import type { HeaderLine } from "@expose/protocol";
import wasmBytes from "undici/lib/llhttp/llhttp-wasm.js";

/** The head of a request or a response. */
export interface MessageHead {
  /** Requests; empty otherwise. */
  readonly method: string;
  readonly target: string;
  /** Responses; 0 otherwise. */
  readonly status: number;
  readonly reason: string;
  readonly version: "1.0" | "1.1";
  readonly headers: readonly HeaderLine[];
  /** What follows may be another protocol (RFC 9110 section 7.8, or CONNECT). */
  readonly upgrade: boolean;
}

/** Hears what is read. Buffers are views that hold during the call only. */
export interface MessageListener {
  /** @returns whether a chunked body is to be read; without it the message ends here, and its body is the caller's */
  head(head: MessageHead): boolean;
  body(bytes: Buffer): void;
  /** The message is over, or its head is, when head() returned false. */
  end(trailers: readonly HeaderLine[]): void;
}

/** Reads one message after the other of one direction. */
export interface MessageParser {
  /**
   * Reads until the end of a message or of the chunk. Bytes are copied into the parser's memory, 64 KiB at a time.
   *
   * @param from index of the first byte to read
   * @returns index of the first byte that was not read
   * @throws ParseError when the bytes are no HTTP/1 message; the parser is useless then
   */
  read(chunk: Buffer, from: number): number;
  /** Gives its memory back. Not to be used afterwards. Idempotent. */
  free(): void;
}

/** Bytes that are no HTTP/1 message. */
export class ParseError extends Error {
  override name = "ParseError";
}

/** Makes a parser. The first one compiles the module, which takes some milliseconds. */
export function createMessageParser(
  kind: "request" | "response",
  listener: MessageListener,
): MessageParser {
  return new WasmParser(kind, listener);
}

const PAUSED = 21;
const PAUSED_UPGRADE = 22;
const PAGE_BYTES = 64 * 1_024;
// A head that is longer is nobody's: Node takes 16 KiB, Apache 8 KiB a line.
const MAX_HEAD_BYTES = 256 * 1_024;
// Parsers take 100 bytes each; those of closed connections serve again.
const MAX_SPARE = 64;

const LETTER_X = 0x78;
const CR = 0x0d;
const LF = 0x0a;

const TYPES = { request: 1, response: 2 } as const;

class WasmParser implements MessageParser {
  readonly #kind: "request" | "response";
  readonly #listener: MessageListener;
  #parser: number;
  #chunk: Buffer = EMPTY;
  // Index in the chunk of the first byte of the page.
  #pageFrom = 0;
  #headBytes = 0;
  #textBytes = 0;
  #inBody = false;
  /** What came of a request line, line ends apart; -1 when it is over, or there is none. */
  #requestLineBytes: number;
  #target = "";
  #reason = "";
  #lines: HeaderLine[] = [];
  #name = "";
  #value = "";
  #last: "field" | "value" | undefined;
  #fault: Error | undefined;

  constructor(kind: "request" | "response", listener: MessageListener) {
    this.#kind = kind;
    this.#listener = listener;
    this.#requestLineBytes = kind === "request" ? 0 : -1;
    this.#parser = spare[kind].pop() ?? open().wasm.llhttp_alloc(TYPES[kind]);
  }

  read(chunk: Buffer, from: number): number {
    const { wasm, page } = open();
    let at = from;
    while (at < chunk.length) {
      const bytes = Math.min(PAGE_BYTES, chunk.length - at);
      pageView().set(
        bytes === chunk.length ? chunk : chunk.subarray(at, at + bytes),
        page,
      );
      if (this.#requestLineBytes >= 0) this.#hideHighBytes(page, page + bytes);
      this.#chunk = chunk;
      this.#pageFrom = at;
      this.#fault = undefined;
      enter(this);
      const code = wasm.llhttp_execute(this.#parser, page, bytes);
      enter(undefined);
      this.#chunk = EMPTY;
      this.#throwFault();
      if (code === PAUSED || code === PAUSED_UPGRADE) {
        at += wasm.llhttp_get_error_pos(this.#parser) - page;
        wasm.llhttp_reset(this.#parser);
        return at;
      }
      if (code !== 0) throw new ParseError(this.#reasonOfFailure());
      at += bytes;
      if (this.#inBody) continue;
      this.#headBytes += bytes;
      if (this.#headBytes > MAX_HEAD_BYTES)
        throw new ParseError("The head is too long.");
    }
    return at;
  }

  free(): void {
    if (this.#parser === 0) return;
    const { wasm } = open();
    wasm.llhttp_reset(this.#parser);
    if (spare[this.#kind].length < MAX_SPARE)
      spare[this.#kind].push(this.#parser);
    else wasm.llhttp_free(this.#parser);
    this.#parser = 0;
  }

  /** A piece of something: a page may end within it. */
  span(what: Span, at: number, bytes: number): number {
    const start = at - open().page + this.#pageFrom;
    const end = start + bytes;
    if (what === "body") return this.#body(start, end);
    // Trailers are lines too, and come behind a body of any length.
    this.#textBytes += bytes;
    if (this.#textBytes > MAX_HEAD_BYTES)
      return this.#fail(new ParseError("The head is too long."));
    const text = this.#chunk.toString("latin1", start, end);
    if (what === "field") {
      if (this.#last === "value") this.#endLine();
      this.#name += text;
      this.#last = "field";
    } else if (what === "value") {
      this.#value += text;
      this.#last = "value";
    } else if (what === "url") this.#target += text;
    else this.#reason += text;
    return 0;
  }

  headComplete(status: number, upgrade: boolean): number {
    const { wasm } = open();
    const major = wasm.llhttp_get_http_major(this.#parser);
    const minor = wasm.llhttp_get_http_minor(this.#parser);
    if (major !== 1 || minor > 1)
      return this.#fail(new ParseError("It is no HTTP/1 message."));
    this.#endLine();
    const head: MessageHead = {
      method:
        this.#kind === "request"
          ? methodName(wasm.llhttp_get_method(this.#parser))
          : "",
      target: this.#target,
      status,
      reason: this.#reason,
      version: minor === 0 ? "1.0" : "1.1",
      headers: this.#lines,
      upgrade,
    };
    this.#lines = [];
    this.#target = this.#reason = "";
    this.#inBody = true;
    try {
      // 1 tells llhttp that no body follows.
      return this.#listener.head(head) ? 0 : 1;
    } catch (error) {
      return this.#fail(error);
    }
  }

  messageComplete(): number {
    this.#endLine();
    const trailers = this.#lines;
    this.#lines = [];
    this.#inBody = false;
    this.#requestLineBytes = this.#kind === "request" ? 0 : -1;
    this.#headBytes = this.#textBytes = 0;
    try {
      this.#listener.end(trailers);
    } catch (error) {
      return this.#fail(error);
    }
    return PAUSED;
  }

  // llhttp takes no byte above 127 in a target, and services do. It is shown an x for each, and the text comes from the
  // chunk.
  #hideHighBytes(from: number, to: number): void {
    const view = pageView();
    for (let at = from; at < to; at++) {
      const byte = view[at]!;
      if (byte > 0x7f) view[at] = LETTER_X;
      if (byte !== CR && byte !== LF) this.#requestLineBytes++;
      // Empty lines may go before it (RFC 9112 section 2.2).
      else if (byte === LF && this.#requestLineBytes > 0) {
        this.#requestLineBytes = -1;
        return;
      }
    }
  }

  #body(start: number, end: number): number {
    try {
      this.#listener.body(this.#chunk.subarray(start, end));
      return 0;
    } catch (error) {
      return this.#fail(error);
    }
  }

  // An exception must not travel through WebAssembly frames.
  #fail(error: unknown): number {
    this.#fault = error instanceof Error ? error : new Error(String(error));
    return -1;
  }

  #throwFault(): void {
    if (this.#fault) throw this.#fault;
  }

  #endLine(): void {
    if (this.#last === undefined) return;
    this.#lines.push([this.#name, trimEnd(this.#value)]);
    this.#name = this.#value = "";
    this.#last = undefined;
  }

  #reasonOfFailure(): string {
    const { wasm } = open();
    return `${cString(wasm.llhttp_get_error_reason(this.#parser)) || "No HTTP"}.`;
  }
}

type Span = "url" | "status" | "field" | "value" | "body";

/** What of the module's exports is used. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_reset(parser: number): void;
  llhttp_execute(parser: number, at: number, bytes: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_method_name(method: number): number;
  llhttp_get_http_major(parser: number): number;
  llhttp_get_http_minor(parser: number): number;
}

// Neither Node's types nor ES2023's know the global; those of the DOM stay out of here.
const { WebAssembly: wasmApi } = globalThis as unknown as {
  WebAssembly: {
    Module: new (bytes: Uint8Array) => object;
    Instance: new (module: object, imports: object) => { exports: object };
  };
};

const EMPTY = Buffer.alloc(0);
const spare: Record<"request" | "response", number[]> = {
  request: [],
  response: [],
};
const methodNames = new Map<number, string>();
let opened: { wasm: Exports; page: number } | undefined;
let memoryView: Uint8Array | undefined;
// Each execute runs to its end before anything else does, so that one variable says whose callbacks these are.
let current: WasmParser | undefined;
const enter = (parser: WasmParser | undefined): void => {
  current = parser;
};

function open(): NonNullable<typeof opened> {
  if (opened) return opened;
  const span = (what: Span) => (_parser: number, at: number, bytes: number) =>
    current!.span(what, at, bytes);
  const { Instance, Module } = wasmApi;
  const instance = new Instance(new Module(wasmBytes), {
    env: {
      wasm_on_message_begin: () => 0,
      wasm_on_url: span("url"),
      wasm_on_status: span("status"),
      wasm_on_header_field: span("field"),
      wasm_on_header_value: span("value"),
      wasm_on_headers_complete: (
        _parser: number,
        status: number,
        upgrade: number,
      ) => current!.headComplete(status, upgrade === 1),
      wasm_on_body: span("body"),
      wasm_on_message_complete: () => current!.messageComplete(),
    },
  });
  // WebAssembly's exports have no types; llhttp.test.ts looks that these are there.
  const wasm = instance.exports as unknown as Exports;
  wasm._initialize();
  opened = { wasm, page: wasm.malloc(PAGE_BYTES) };
  return opened;
}

// Memory that grows gets a new buffer.
function pageView(): Uint8Array {
  const { buffer } = open().wasm.memory;
  if (memoryView?.buffer !== buffer) memoryView = new Uint8Array(buffer);
  return memoryView;
}

function methodName(method: number): string {
  let name = methodNames.get(method);
  if (name === undefined) {
    name = cString(open().wasm.llhttp_method_name(method));
    methodNames.set(method, name);
  }
  return name;
}

function cString(at: number): string {
  const view = pageView();
  return Buffer.from(view.subarray(at, view.indexOf(0, at))).toString("latin1");
}

// RFC 9110 section 5.5: white space around a value is no part of it. llhttp leaves it at the end.
const trimEnd = (value: string): string => {
  let end = value.length;
  while (end > 0 && isBlank(value.charCodeAt(end - 1))) end--;
  return end === value.length ? value : value.slice(0, end);
};
const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;
