// What the parts of the inspector hand to one another: the tap fills captures, the store keeps them, all else reads.
import type {
  Exchange,
  ExchangeMessage,
  ExchangeSummary,
} from "@expose/protocol";

/** An exchange as its tap sees it: it changes until its state is no longer `open`. Bodies hold what is kept. */
export interface Capture {
  /** A snapshot, made anew at each call, with the headers as they passed (nothing redacted). */
  exchange(): Exchange;
  readonly id: string;
  /** What names and values of headers take. Absent: about what a browser's do. */
  readonly headBytes?: number;
  readonly requestBody: readonly Buffer[];
  readonly responseBody: readonly Buffer[];
  /** WebSocket messages and server-sent events that are kept, in order. */
  readonly messages: readonly ExchangeMessage[];
  /**
   * Gives back the memory of the bodies of one that is not open any more. What was read from them must not be used any
   * more, and they are empty from here on.
   */
  release?(): void;
}

/** Takes captures. Its methods return at once and never throw: they are called between two chunks of a stream. */
export interface CaptureSink {
  /** The head of a request is complete, or a connection turned out not to be HTTP. */
  opened(capture: Capture): void;
  /** A response began, or a message was added. */
  changed(capture: Capture): void;
  /** Nothing more comes. */
  finished(capture: Capture): void;
  /** So many exchanges passed unseen because there were too many at once. */
  missed(count: number): void;
}

/** Which exchanges are wanted. */
export interface ExchangeQuery {
  /** Keeps what it returns true for. It sees bodies only when it asks for them. Absent: all. */
  readonly filter?: ExchangeFilter | undefined;
  /** At most so many, newest first. */
  readonly limit: number;
  /** Only those that are older than this id. */
  readonly before?: string | undefined;
}

/** A compiled filter (inspect/filter). */
export interface ExchangeFilter {
  readonly needsBodies: boolean;
  matches(exchange: Exchange, bodies: () => StoredBodies): boolean;
}

export interface StoredBodies {
  readonly request: Buffer;
  readonly response: Buffer;
}

/** An exchange with all that is kept of it. */
export interface StoredExchange {
  readonly exchange: Exchange;
  readonly bodies: StoredBodies;
  readonly messages: readonly ExchangeMessage[];
}

/** The history of exchanges: of this run in memory, and of earlier runs and other clients on disk. */
export interface ExchangeStore extends CaptureSink {
  list(query: ExchangeQuery): Promise<{
    items: ExchangeSummary[];
    /** Pass as `before` for the next page; absent at the end. */
    next?: string;
  }>;
  /**
   * Headers are complete while this process still knows them and redacted afterwards (Exchange.redacted names them).
   *
   * @returns undefined when the id is gone or never was
   */
  get(id: string): Promise<Exchange | undefined>;
  /** What is kept of a body, content coding as it passed. @returns undefined when the exchange is gone */
  bodies(id: string): Promise<StoredBodies | undefined>;
  messages(
    id: string,
    after?: number,
  ): Promise<readonly ExchangeMessage[] | undefined>;
  /** Forgets everything, on disk too. */
  clear(): Promise<void>;
  /** Facts for `expose doctor`, the page's footer and API clients. */
  status(): StoreStatus;
  /** @returns a function that ends the subscription */
  subscribe(listener: StoreListener): () => void;
  /** Writes what is not on disk yet. Idempotent. Does not touch open streams. */
  close(): Promise<void>;
}

export interface StoreStatus {
  /** Absent when there is no history on disk, and why. */
  readonly file?: string;
  readonly memoryOnlyBecause?: string;
  readonly exchanges: number;
  readonly bytes: number;
  readonly missed: number;
}

export interface StoreListener {
  added?(summary: ExchangeSummary): void;
  changed?(summary: ExchangeSummary): void;
  cleared?(): void;
  missed?(count: number): void;
}
