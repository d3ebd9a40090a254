// What the inspector's server is handed by the composition root: the store, the tunnels, and the features behind its
// routes, each as a plain function.
import type { Duplex } from "node:stream";
import type { Exchange, WebhookFacts } from "@expose/protocol";
import type {
  CaptureSink,
  ExchangeFilter,
  ExchangeStore,
  StoredBodies,
} from "../capture.ts";

/** A tunnel of the running client. The fields are read anew at each request. */
export interface InspectedTunnel {
  readonly name: string;
  /** Public URL, without a trailing slash. */
  readonly url: string;
  /** Where it leads: `localhost:8080`. */
  readonly upstream: string;
  readonly state: string;
  readonly latencyMs: number | undefined;
  readonly openConnections: number;
  /** Opens a connection to its local service. @throws ExposeError with a reason for people */
  dial(signal: AbortSignal): Promise<Duplex>;
}

/** Connections to a local service that no tunnel leads to. */
export interface DialledUpstream {
  /** As formatUpstreamSpec() writes it. */
  readonly label: string;
  dial(signal: AbortSignal): Promise<Duplex>;
  /** Frees what is shared between connections. */
  close(): void;
}

/** A copy of both directions of one connection becomes exchanges in `sink`. */
export interface ConnectionTap {
  fromVisitor(chunk: Buffer): void;
  fromUpstream(chunk: Buffer): void;
  /** A side sends no more. */
  visitorEnded(): void;
  upstreamEnded(): void;
  /** The connection is gone. */
  closed(): void;
}

/** What a tap writes into the exchanges of a connection. */
export interface TapFacts {
  readonly tunnel: string;
  readonly origin: string;
  readonly upstream: string;
  /** The exchange that is repeated. */
  readonly replayOf?: string | undefined;
}

/** What there is to be made of an exchange. Absent: this part is not there, and its route says so. */
export interface InspectorFeatures {
  /** @throws ExposeError `filter-invalid` */
  parseFilter?(text: string): ExchangeFilter;
  /** Undoes the content coding, within bounds. @throws ExposeError */
  decodeBody?(
    exchange: Exchange,
    side: "request" | "response",
    bytes: Buffer,
  ): Promise<{ bytes: Buffer; truncated: boolean }>;
  /** Makes a body ready to be shown, as JSON. */
  viewBody?(
    exchange: Exchange,
    side: "request" | "response",
    bytes: Buffer,
  ): Promise<unknown>;
  /** @throws ExposeError for a format that is none */
  exportExchange?(
    format: string,
    exchange: Exchange,
    bodies: StoredBodies,
  ): Promise<ExportedFile>;
  /** @throws ExposeError for a format that is none */
  exportAll?(
    format: string,
    exchanges: AsyncIterable<{ exchange: Exchange; bodies: StoredBodies }>,
  ): Promise<ExportedFile>;
  explainWebhook?(exchange: Exchange, body: Buffer): WebhookFacts | undefined;
  /** Signs a request anew, with a fresh timestamp. @returns headers to be set in place of those there. @throws ExposeError */
  signRequest?(
    provider: string,
    exchange: Exchange,
    body: Buffer,
  ): readonly (readonly [name: string, value: string])[];
  /** Names of providers whose secret is configured. */
  webhookSecrets?(): readonly string[];
}

export interface ExportedFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** Everything that {@link startInspector} needs. */
export interface InspectorOptions {
  readonly store: ExchangeStore;
  tunnels(): readonly InspectedTunnel[];
  readonly features?: InspectorFeatures | undefined;
  /** First port to try, then the ones after it. 0: any. Default: 4040 */
  readonly port?: number | undefined;
  /** Ports that belong to local services of tunnels. */
  readonly avoidPorts?: Iterable<number> | undefined;
  /** Locks ngrok's shapes too; is taken as the token is. */
  readonly apiToken?: string | undefined;
  /** Folder of the page's files. Default: where the build puts it */
  readonly pageFolder?: string | undefined;
  /** Folder for the run file. Absent: none is written, and the command line does not find this inspector. */
  readonly runFolder?: string | undefined;
  /** Taps the connections of replays. Absent: replays are refused. */
  createTap?(facts: TapFacts, sink: CaptureSink): ConnectionTap;
  /** Dials what no tunnel leads to. @throws ExposeError `upstream-invalid` */
  openUpstream?(text: string): DialledUpstream;
  /** Hears of bugs. */
  onError?(error: unknown): void;
}
