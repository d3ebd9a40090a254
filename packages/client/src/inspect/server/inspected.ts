// What the inspector's server is handed by the composition root.
import type { Duplex } from "node:stream";
import type {
  Exchange,
  HeaderLine,
  InspectorStatus,
  UpstreamSpec,
} from "@expose/protocol";
import type { ExchangeStore } from "../capture.ts";

/** A tunnel of the running client. The fields are read anew at each request. */
export interface InspectedTunnel {
  readonly name: string;
  /** Public URL, without a trailing slash. */
  readonly url: string;
  /** Where it leads: `localhost:8080`. */
  readonly upstream: string;
  readonly state: InspectorStatus["tunnels"][number]["state"];
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

/** The webhook secrets of this client, behind functions that keep them. */
export interface InspectedWebhooks {
  /** Providers whose secret is configured. */
  readonly configured: readonly string[];
  /**
   * Signs a request anew, with a fresh timestamp.
   *
   * @returns headers to be set in place of those there
   * @throws ExposeError for a provider that is none, or whose secret is missing
   */
  sign(
    provider: string,
    exchange: Exchange,
    body: Buffer,
  ): readonly HeaderLine[];
}

/** Everything that {@link startInspector} needs. */
export interface InspectorOptions {
  readonly store: ExchangeStore;
  tunnels(): readonly InspectedTunnel[];
  /** Checks and makes signatures of webhooks. Absent: none are looked at. */
  readonly webhooks?: InspectedWebhooks | undefined;
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
  /** How much of each body of a replay is kept. Default: the tap's */
  readonly maxBodyBytes?: number | undefined;
  /** Dials what no tunnel leads to. @throws ExposeError `upstream-invalid` */
  openUpstream?(spec: UpstreamSpec): DialledUpstream;
  /** Hears what a person should know. */
  warn?(sentence: string): void;
  /** Hears of bugs. */
  onError?(error: unknown): void;
}
