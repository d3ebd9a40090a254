// An exchange while it passes: collects what the tap sees of it.
import { isUtf8 } from "node:buffer";
import { performance } from "node:perf_hooks";
import type {
  CapturedBody,
  CapturedResponse,
  Exchange,
  ExchangeKind,
  ExchangeMessage,
  ExchangeState,
  HeaderLine,
} from "@expose/protocol";
import type { Capture } from "../capture.ts";
import type { BlockPool } from "./block-pool.ts";
import { createByteList, type ByteList } from "./byte-list.ts";
import type { BodyPlan } from "./framing.ts";
import { createExchangeId } from "../exchange-id.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import type { MessageHead } from "./llhttp.ts";

/** What is known of an exchange from where it happens. */
export interface ConnectionInfo {
  readonly tunnel: string;
  readonly origin: string;
  readonly upstream: string;
  readonly replayOf?: string | undefined;
}

/** Bounds of what is kept of an exchange. */
export interface KeepLimits {
  /** Of each body. */
  readonly maxBodyBytes: number;
  /** WebSocket messages and events of an exchange; later ones are counted. */
  readonly maxMessages: number;
}

/** A message as its protocol's reader gives it. */
export interface PassedMessage extends Pick<
  ExchangeMessage,
  "direction" | "type"
> {
  /** Payload bytes in all, after unmasking and inflating. */
  readonly bytes: number;
  /** What there is of them. */
  readonly payload: Buffer;
  readonly closeCode?: number | undefined;
  readonly event?: string | undefined;
  readonly eventId?: string | undefined;
  readonly frames?: number | undefined;
  readonly compressed?: boolean | undefined;
}

// Of one message. All of them together may take as much as a body.
const MAX_MESSAGE_BYTES = 64 * 1_024;

export class OpenCapture implements Capture {
  readonly id: string;
  readonly messages: ExchangeMessage[] = [];
  kind: ExchangeKind = "http";
  state: ExchangeState = "open";
  note: string | undefined;
  /** Messages that passed, kept or not. */
  messageCount = 0;
  headBytes = 0;
  requestDone = false;
  responseDone = false;
  readonly request: BodyKeeper;
  readonly response: BodyKeeper;
  readonly #info: ConnectionInfo;
  readonly #limits: KeepLimits;
  readonly #kept: KeptBytes;
  #messageBytes = 0;
  #pieceBytes = 0;
  readonly #startedAt = Date.now();
  readonly #start = performance.now();
  #requestHead: MessageHead | undefined;
  #responseHead: MessageHead | undefined;
  #requestTrailers: readonly HeaderLine[] = [];
  #responseTrailers: readonly HeaderLine[] = [];
  #informational: CapturedResponse["informational"][number][] = [];
  #requestHeadMs: number | undefined;
  #requestEndMs: number | undefined;
  #responseStartMs: number | undefined;
  #responseHeadMs: number | undefined;
  #responseEndMs: number | undefined;
  #endMs: number | undefined;

  constructor(
    info: ConnectionInfo,
    limits: KeepLimits,
    kept: KeptBytes,
    pool: BlockPool,
  ) {
    this.#info = info;
    this.#limits = limits;
    this.#kept = kept;
    this.request = new BodyKeeper(limits.maxBodyBytes, kept, pool);
    this.response = new BodyKeeper(limits.maxBodyBytes, kept, pool);
    this.id = createExchangeId(this.#startedAt);
  }

  get requestBody(): readonly Buffer[] {
    return this.request.chunks;
  }
  get responseBody(): readonly Buffer[] {
    return this.response.chunks;
  }
  get method(): string {
    return this.#requestHead?.method ?? "";
  }
  get requestHead(): MessageHead | undefined {
    return this.#requestHead;
  }
  get responseHead(): MessageHead | undefined {
    return this.#responseHead;
  }

  /** Milliseconds since its start. */
  elapsed(): number {
    return round(performance.now() - this.#start);
  }

  takeRequestHead(head: MessageHead, plan: BodyPlan): void {
    this.#requestHead = head;
    this.headBytes += sizeOfHead(head.headers) + head.target.length;
    this.#requestHeadMs = this.elapsed();
    this.request.framing = plan.framing;
  }

  endRequest(trailers: readonly HeaderLine[]): void {
    this.#requestTrailers = trailers;
    this.headBytes += sizeOfHead(trailers);
    this.#requestEndMs = this.elapsed();
    this.requestDone = true;
  }

  beginResponse(): void {
    this.#responseStartMs = this.elapsed();
  }

  takeInformational({ status, headers }: MessageHead): void {
    // Somebody who sends them without end gets no memory for it.
    if (this.#informational.length < 16) {
      this.#informational.push({ status, headers });
      this.headBytes += sizeOfHead(headers);
    }
    this.#responseStartMs = undefined;
  }

  takeResponseHead(head: MessageHead, plan: BodyPlan): void {
    this.#responseHead = head;
    this.headBytes += sizeOfHead(head.headers) + head.reason.length;
    this.#responseHeadMs = this.elapsed();
    this.response.framing = plan.framing;
  }

  endResponse(trailers: readonly HeaderLine[]): void {
    this.#responseTrailers = trailers;
    this.headBytes += sizeOfHead(trailers);
    this.#responseEndMs = this.elapsed();
    this.responseDone = true;
  }

  /** Whether another message would be kept. */
  get wantsMessages(): boolean {
    return (
      this.messages.length < this.#limits.maxMessages &&
      this.#messageBytes < this.#limits.maxBodyBytes
    );
  }

  /** Makes room for a piece of a message that is still coming. @returns how many of its bytes may be kept */
  holdPiece(bytes: number): number {
    const granted = this.#kept.take(bytes);
    this.#pieceBytes += granted;
    return granted;
  }

  /** The pieces are not needed any more. */
  dropPieces(bytes: number): void {
    // Else they were given back already.
    if (this.state !== "open") return;
    this.#pieceBytes -= bytes;
    this.#kept.give(bytes);
  }

  addMessage(message: PassedMessage): void {
    const index = this.messageCount++;
    if (!this.wantsMessages) return;
    const room = this.#limits.maxBodyBytes - this.#messageBytes;
    const wanted = Math.min(message.payload.length, MAX_MESSAGE_BYTES, room);
    const granted = this.#kept.take(Math.max(0, wanted));
    const { data, encoding, keptBytes } = writeDown(
      message.payload.subarray(0, granted),
      message.type !== "binary",
    );
    this.#messageBytes += granted;
    const { direction, type, bytes, payload: _payload, ...rest } = message;
    this.messages.push({
      ...{ index, direction, type, bytes, keptBytes, data, encoding },
      atMs: this.elapsed(),
      ...defined(rest),
    });
  }

  /** Sets the final state; a second call changes nothing. @returns whether it was open */
  close(state: ExchangeState, note?: string): boolean {
    if (this.state !== "open") return false;
    this.state = state;
    this.note = note;
    this.#endMs = this.elapsed();
    // From here on it is the store that counts them.
    this.#kept.give(
      this.request.keptBytes +
        this.response.keptBytes +
        this.#messageBytes +
        this.#pieceBytes,
    );
    return true;
  }

  release(): void {
    // An open one is still written to; what it holds is collected some day.
    if (this.state === "open") return;
    this.request.release();
    this.response.release();
  }

  exchange(): Exchange {
    const request = this.#requestHead;
    const response = this.#responseHead;
    const { tunnel, origin, upstream, replayOf } = this.#info;
    return {
      id: this.id,
      ...{ tunnel, origin, upstream },
      kind: this.kind,
      state: this.state,
      startedAt: this.#startedAt,
      method: request?.method ?? "",
      target: request?.target ?? "",
      host: headerOf(request, "host") ?? "",
      ...defined({
        status: response?.status,
        durationMs: this.#responseEndMs ?? this.#endMs,
        requestType: headerOf(request, "content-type"),
        responseType: headerOf(response, "content-type"),
        messages: this.messageCount === 0 ? undefined : this.messageCount,
        replayOf,
        note: this.note,
        visitor: visitorOf(request),
      }),
      requestBytes: this.request.bytes,
      responseBytes: this.response.bytes,
      ...(request && {
        request: {
          method: request.method,
          target: request.target,
          version: request.version,
          headers: request.headers,
          trailers: this.#requestTrailers,
          body: this.request.facts(),
        },
      }),
      ...(response && {
        response: {
          status: response.status,
          reason: response.reason,
          version: response.version,
          headers: response.headers,
          trailers: this.#responseTrailers,
          body: this.response.facts(),
          informational: this.#informational,
        },
      }),
      timing: defined({
        requestHeadMs: this.#requestHeadMs,
        requestEndMs: this.#requestEndMs,
        responseStartMs: this.#responseStartMs,
        responseHeadMs: this.#responseHeadMs,
        responseEndMs: this.#responseEndMs,
      }),
      redacted: [],
    };
  }
}

function sizeOfHead(headers: readonly HeaderLine[]): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length;
  return bytes;
}

// The beginning of a body is kept whatever large ones have passed before it.
const UNMETERED_BYTES = 16 * 1_024;

/** Counts a body and keeps its beginning. */
class BodyKeeper {
  bytes = 0;
  framing: CapturedBody["framing"] = "none";
  readonly #list: ByteList;
  readonly #maxBytes: number;
  readonly #kept: KeptBytes;
  #full = false;

  constructor(maxBytes: number, kept: KeptBytes, pool: BlockPool) {
    this.#maxBytes = maxBytes;
    this.#kept = kept;
    this.#list = createByteList(pool);
  }

  add(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (this.#full) return;
    const wanted = Math.min(bytes.length, this.#maxBytes - this.keptBytes);
    const granted = this.#kept.take(
      wanted,
      Math.max(0, UNMETERED_BYTES - this.keptBytes),
    );
    // What is kept is the beginning, without holes.
    if (granted < bytes.length) this.#full = true;
    if (granted > 0)
      this.#list.add(
        granted === bytes.length ? bytes : bytes.subarray(0, granted),
      );
  }

  get keptBytes(): number {
    return this.#list.length;
  }
  get chunks(): readonly Buffer[] {
    return this.#list.pieces();
  }

  release(): void {
    this.#list.release();
  }

  /** Bytes that are kept in another form, or not at all. */
  count(bytes: number): void {
    this.bytes += bytes;
  }

  facts(): CapturedBody {
    const { bytes, keptBytes, framing } = this;
    return { bytes, keptBytes, framing };
  }
}

// Text that was cut within a character loses the piece of it.
function writeDown(
  payload: Buffer,
  isText: boolean,
): Pick<ExchangeMessage, "data" | "encoding" | "keptBytes"> {
  for (let cut = 0; isText && cut < 4 && cut <= payload.length; cut++) {
    const kept = payload.subarray(0, payload.length - cut);
    if (isUtf8(kept))
      return {
        data: kept.toString("utf8"),
        encoding: "utf8",
        keptBytes: kept.length,
      };
  }
  return {
    data: payload.toString("base64"),
    encoding: "base64",
    keptBytes: payload.length,
  };
}

/** @returns the first value of a field */
export function headerOf(
  head: Pick<MessageHead, "headers"> | undefined,
  wanted: string,
): string | undefined {
  return head?.headers.find(
    ([name]) => name.length === wanted.length && name.toLowerCase() === wanted,
  )?.[1];
}

// The edge writes the last entry; what stands before it may be made up.
function visitorOf(head: MessageHead | undefined): string | undefined {
  const last = head?.headers.findLast(
    ([name]) => name.toLowerCase() === "x-forwarded-for",
  )?.[1];
  return last?.split(",").at(-1)?.trim() || undefined;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  const result: Defined<T> = {};
  for (const key of Object.keys(values) as (keyof T)[])
    if (values[key] !== undefined)
      result[key] = values[key] as Exclude<T[typeof key], undefined>;
  return result;
}

// Tenths of a millisecond: more is noise, and takes room in every record.
const round = (ms: number): number => Math.round(ms * 10) / 10;
