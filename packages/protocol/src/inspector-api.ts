// What the inspector's API answers and takes, version 1: agreed between the client that serves it, its page and its CLI.
// Everything here is JSON. docs/inspector-api.md tells the story.
import type {
  ExchangeMessage,
  ExchangeSummary,
  HeaderLine,
} from "./exchange.ts";

/** `GET /api/v1/status` */
export interface InspectorStatus {
  readonly version: string;
  readonly tunnels: readonly InspectedTunnel[];
  readonly store: InspectedStore;
  /** Providers whose webhook secret is configured: names only, never values. */
  readonly secrets: readonly string[];
}

export interface InspectedTunnel {
  readonly name: string;
  /** Its public origin. */
  readonly url: string;
  readonly upstream: string;
  readonly state: "connecting" | "online" | "reconnecting" | "closed";
  /** Round trip to the edge; absent before the first measurement. */
  readonly latencyMs?: number;
  readonly openConnections: number;
}

export interface InspectedStore {
  readonly file?: string;
  /** Present when there is no history on disk: why, as a sentence. */
  readonly memoryOnlyBecause?: string;
  readonly exchanges: number;
  readonly bytes: number;
  readonly missed: number;
}

/** `GET /api/v1/exchanges?filter=&limit=&before=` */
export interface ExchangePage {
  /** Newest first. */
  readonly items: readonly ExchangeSummary[];
  /** Pass as `before` for the next page; absent at the end. */
  readonly next?: string;
}

/** `GET /api/v1/exchanges/ID/messages?after=N` */
export interface MessagePage {
  readonly items: readonly ExchangeMessage[];
}

/** `GET /api/v1/exchanges/ID/{request,response}/view`: a body made ready for display, all of it bounded. */
export interface BodyView {
  readonly kind:
    "json" | "xml" | "form" | "multipart" | "image" | "text" | "hex" | "empty";
  /** `json` and `xml` pretty-printed; `text` as it is. */
  readonly text?: string;
  /** Why `text` is not pretty-printed: where the syntax breaks, lines and columns from 1. */
  readonly error?: BodySyntaxError;
  /** `form` */
  readonly fields?: readonly {
    readonly name: string;
    readonly value: string;
  }[];
  /** `multipart` */
  readonly parts?: readonly BodyPart[];
  /** Pixels of an `image`, where its bytes tell. */
  readonly width?: number;
  readonly height?: number;
  /** How long the body is after its content codings were undone, as far as it is kept. */
  readonly bytes?: number;
  /** Media type without parameters, as the message says; for `image` it is the one that the bytes show. */
  readonly type?: string;
  /** Content codings that were undone, outermost first: `gzip`, `br`, `zstd`. */
  readonly decoded?: readonly string[];
  /** Whether only a part is shown, and why: kept to the cap, or longer than a view may be. */
  readonly truncated?: boolean;
  /** What went wrong on the way to the view: a coding that could not be undone, say. A sentence. */
  readonly note?: string;
}

export interface BodySyntaxError {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

export interface BodyPart {
  readonly headers: readonly HeaderLine[];
  readonly name?: string;
  readonly filename?: string;
  readonly type?: string;
  readonly bytes: number;
  /** Present when it is text, cut when it is long. */
  readonly text?: string;
  /** Its first bytes otherwise. */
  readonly base64?: string;
}

/** `GET /api/v1/events`: the name of each server-sent event, and its data. */
export interface InspectorEvents {
  readonly exchange: ExchangeSummary;
  readonly missed: { readonly count: number };
  readonly cleared: Record<string, never>;
  readonly status: InspectorStatus;
}

/** How often one order may repeat an exchange. */
export const MAX_REPLAY_TIMES = 100;
/** How many exchanges one order may repeat. */
export const MAX_REPLAY_LAST = 200;

/** What `GET /api/v1/exchanges/ID/export?as=` takes. */
export const exportFormats = [
  "curl",
  "fetch",
  "httpie",
  "http",
  "vitest",
  "har",
] as const;

export type ExportFormat = (typeof exportFormats)[number];

/** `POST /api/v1/exchanges/ID/replay`: what is absent stays as it was, byte for byte. */
export interface ReplayOrder {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly HeaderLine[];
  /** Base64. */
  readonly body?: string;
  /** 1 to {@link MAX_REPLAY_TIMES}. Default: 1 */
  readonly times?: number;
  /** Where else to send it on this machine: `localhost:9090`. */
  readonly upstream?: string;
  /** Provider to sign for anew, with a fresh timestamp. */
  readonly sign?: string;
  /** Sends it although headers are redacted, without them. */
  readonly withoutSecrets?: boolean;
}

export interface ReplayAnswer {
  readonly results: readonly {
    /** Of the exchange that the replay is. */
    readonly id: string;
    readonly status?: number;
    readonly error?: InspectorError;
    /** Whether its status has the first digit of the original's. */
    readonly sameClass: boolean;
  }[];
}

/** `POST /api/v1/replays`: the last so many that match, oldest first. */
export interface ReplayManyOrder extends Pick<
  ReplayOrder,
  "upstream" | "sign" | "withoutSecrets"
> {
  readonly filter?: string;
  /** 1 to {@link MAX_REPLAY_LAST}. */
  readonly last: number;
}

export interface ReplayManyAnswer {
  readonly results: readonly {
    readonly original: string;
    readonly replay?: string;
    readonly before?: number;
    readonly after?: number;
    readonly sameClass: boolean;
    /** How many differences `compare` finds. */
    readonly changes?: number;
    readonly error?: InspectorError;
  }[];
}

/** `GET /api/v1/compare?left=ID&right=ID`: what differs between two responses. */
export interface Comparison {
  readonly status: { readonly left?: number; readonly right?: number };
  readonly headers: readonly ComparedValue[];
  readonly body: ComparedBody;
}

export interface ComparedValue {
  /** A header's name, or a place in JSON: `/items/0/price`. */
  readonly path: string;
  readonly kind: "added" | "removed" | "changed";
  /** JSON values as text. */
  readonly left?: string;
  readonly right?: string;
}

export interface ComparedBody {
  readonly kind: "same" | "json" | "text" | "binary";
  /** `json` */
  readonly changes?: readonly ComparedValue[];
  /** `text`: all lines, in the order of a unified diff. */
  readonly lines?: readonly {
    readonly kind: "same" | "added" | "removed";
    readonly text: string;
  }[];
  readonly truncated?: boolean;
}

/** Every answer but 2xx: `{ error }`. */
export interface InspectorError {
  /** Stable: match on this. docs/errors.md lists them. */
  readonly code: string;
  /** A sentence for a person. */
  readonly message: string;
  /** `filter-invalid`: characters before the one where the filter breaks. */
  readonly position?: number;
  /** `secrets-missing`: lower-case names of the headers that are not in the history. */
  readonly headers?: readonly string[];
}
