// An exchange: one request and its response as the client captured them. What the inspector's page, its API, the CLI
// and the history on disk agree on. Everything here is JSON; bodies travel on their own, as bytes.

/** A header line as it stood on the wire: name with its case, value as ISO 8859-1, in order, duplicates kept. */
export type HeaderLine = readonly [name: string, value: string];

/** `raw` is a connection whose bytes are not HTTP. */
export type ExchangeKind = "http" | "websocket" | "events" | "raw";

/**
 * `open` while bytes still come; `complete` when both messages ended as they should; `aborted` when a side went away
 * before; `broken` when the capture lost the thread (the stream itself went on untouched).
 */
export type ExchangeState = "open" | "complete" | "aborted" | "broken";

/** What a list shows of an exchange. */
export interface ExchangeSummary {
  /** 26 characters, sorts by time, unique over all clients that share a history. */
  readonly id: string;
  /** Name of the tunnel, and its public origin. */
  readonly tunnel: string;
  readonly origin: string;
  readonly kind: ExchangeKind;
  readonly state: ExchangeState;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Empty for `raw`. */
  readonly method: string;
  /** Request target as it was sent (RFC 9112 section 3.2): path and query. Empty for `raw`. */
  readonly target: string;
  /** Value of the Host header. */
  readonly host: string;
  /** Absent until the final response began. */
  readonly status?: number;
  /** From the first byte of the request to the last one of the response. Absent while open. */
  readonly durationMs?: number;
  /** Bytes of the bodies as they passed, before any content coding was undone. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly requestType?: string;
  readonly responseType?: string;
  /** WebSocket messages or server-sent events so far. */
  readonly messages?: number;
  /** Id of the exchange that this one repeats. */
  readonly replayOf?: string;
  readonly webhook?: WebhookFacts;
  /** Why a capture is broken, or an exchange was cut: a sentence for a person. */
  readonly note?: string;
}

/** All that is known of an exchange, except for the bytes of its bodies and its messages. */
export interface Exchange extends ExchangeSummary {
  /** Where the request went on this machine: `localhost:8080`. */
  readonly upstream: string;
  /** Address of the visitor, from the last X-Forwarded-For entry that the edge wrote; absent when there is none. */
  readonly visitor?: string;
  readonly request?: CapturedRequest;
  readonly response?: CapturedResponse;
  readonly timing: ExchangeTiming;
  /** Lower-case names of headers whose values are not in the history any more; their values read `[redacted]`. */
  readonly redacted: readonly string[];
}

export interface CapturedRequest {
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  readonly headers: readonly HeaderLine[];
  readonly trailers: readonly HeaderLine[];
  readonly body: CapturedBody;
}

export interface CapturedResponse {
  readonly status: number;
  readonly reason: string;
  readonly version: "1.0" | "1.1";
  readonly headers: readonly HeaderLine[];
  readonly trailers: readonly HeaderLine[];
  readonly body: CapturedBody;
  /** 1xx responses that came before (RFC 9110 section 15.2), 101 left out. */
  readonly informational: readonly {
    readonly status: number;
    readonly headers: readonly HeaderLine[];
  }[];
}

/** A body after transfer coding was undone, content coding left as it was. */
export interface CapturedBody {
  readonly bytes: number;
  /** How many of them, from the start, are kept. */
  readonly keptBytes: number;
  /** How its end was told (RFC 9112 section 6). */
  readonly framing: "none" | "length" | "chunked" | "close";
}

/** Milliseconds after the exchange's start; absent for what did not happen. */
export interface ExchangeTiming {
  readonly requestHeadMs?: number;
  readonly requestEndMs?: number;
  /** The first byte of the final response's head. */
  readonly responseStartMs?: number;
  readonly responseHeadMs?: number;
  readonly responseEndMs?: number;
}

/** One WebSocket message or frame of control, or one server-sent event. */
export interface ExchangeMessage {
  /** Counts from 0 within its exchange. */
  readonly index: number;
  /** `in` comes from the visitor. */
  readonly direction: "in" | "out";
  readonly atMs: number;
  readonly type: "text" | "binary" | "ping" | "pong" | "close" | "event";
  /** Payload bytes after unmasking and inflating. */
  readonly bytes: number;
  readonly keptBytes: number;
  /** What is kept: text as it is, anything else in base64. */
  readonly data: string;
  readonly encoding: "utf8" | "base64";
  /** Close frames. */
  readonly closeCode?: number;
  /** Server-sent events: the `event:` and `id:` fields. */
  readonly event?: string;
  readonly eventId?: string;
  /** Frames that the message came in, when more than one. */
  readonly frames?: number;
  readonly compressed?: boolean;
}

/** What a webhook's request says of itself, and whether its signature holds. */
export interface WebhookFacts {
  /** `github`, `stripe`, `slack`, `shopify`, `twilio`, `standard`, or a name of the configuration. */
  readonly provider: string;
  /** The provider's name for what happened: `checkout.session.completed`. */
  readonly event?: string;
  /** What it happened to: an id, mostly. */
  readonly object?: string;
  readonly verdict: "verified" | "failed" | "unchecked";
  /** Why it failed, or what is missing for a check: a stable code and a sentence. */
  readonly code?:
    | "no-secret"
    | "secret-wrong"
    | "body-changed"
    | "timestamp-old"
    | "timestamp-missing"
    | "signature-missing"
    | "signature-malformed"
    | "body-truncated";
  readonly reason?: string;
}
