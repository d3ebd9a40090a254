// The handle of an open tunnel, as `expose()` gives it.
import type { EventEmitter } from "node:events";
import type { WebhookFacts } from "@expose/protocol";
import type { ExposeError } from "./errors.ts";

/** One finished request, as the edge reports it. */
export interface RequestInfo {
  method: string;
  /** Path and query; secrets are redacted and control bytes escaped by the edge. */
  path: string;
  /** 0 when the visitor went away before an answer began. */
  status: number;
  durationMs: number;
  visitor: string;
  bytesIn: number;
  bytesOut: number;
  /** The visitor-facing error code, when the edge made the answer itself. */
  error: string | undefined;
  /** What webhook it was and whether its signature holds, where the inspector looked at it. */
  webhook?: WebhookFacts;
  /** Requests left out of the event stream since the last event, because there were too many a second. */
  dropped: number;
}

/** Something that the person can do to make a request work; `fix` is the flag or the line to write. */
export interface Hint {
  code: "host-refused";
  message: string;
  fix: string;
}

/** Events of a tunnel. */
export interface TunnelEvents {
  request: [request: RequestInfo];
  hint: [hint: Hint];
  /** The connection is gone; the next attempt begins after `delayMs`. */
  reconnecting: [
    info: { attempt: number; delayMs: number; error: ExposeError },
  ];
  /** The tunnel is back under the same URL. */
  reconnected: [info: { url: string; downMs: number }];
  /** The inspector's page can be visited, on this machine. */
  inspecting: [info: { url: string }];
  /** The local service began or ceased to answer. */
  upstream: [info: { state: "up" | "down"; reason: string | undefined }];
  /** Last event. `error` is absent after close(). */
  closed: [info: { error: ExposeError | undefined }];
}

/** State of a session, for a status line. */
export type SessionState = "connecting" | "online" | "reconnecting" | "closed";

/** An open tunnel. */
export interface Tunnel extends EventEmitter<TunnelEvents>, AsyncDisposable {
  /** The public URL, without a trailing slash. It stays the same over reconnects. */
  readonly url: string;
  readonly name: string;
  /** Where it leads, as text: `localhost:8080`. */
  readonly upstream: string;
  readonly state: SessionState;
  /** Connections open right now, idle ones included. */
  readonly openConnections: number;
  /** Round trip to the edge in milliseconds, as last measured. */
  readonly latencyMs: number | undefined;
  /** Where the inspector's page is, on this machine; undefined until it is there, and without an inspector. */
  readonly inspectorUrl: string | undefined;
  /**
   * Closes the tunnel: no new connections, open ones are cut after the response bytes in hand were passed on, the name
   * is released. Does not stop the local service. Idempotent; never throws.
   */
  close(): Promise<void>;
  /** Resolves when the tunnel has closed, rejects with the error that ended it. */
  readonly closed: Promise<void>;
}
