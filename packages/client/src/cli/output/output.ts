// What a command says while tunnels are open: one interface, and three ways to say it (live screen, lines, JSON).
import type { ExposeError } from "../../errors.ts";
import type {
  Hint,
  RequestInfo,
  SessionState,
  Tunnel,
  TunnelEvents,
} from "../../tunnel.ts";

/** What an output shows of a session. The fields are read anew whenever something is drawn. */
export interface SessionView {
  /** `user@host[:port]`. */
  readonly server: string;
  /** Whose key the edge took it for. Absent without an edge. */
  readonly identity?: string | undefined;
  readonly ingress?: string | undefined;
  readonly edgeVersion?: string | undefined;
  /** Round trip in milliseconds, as last measured. */
  readonly latencyMs: number | undefined;
  readonly state: SessionState;
}

/** Where a command reports what happens. Nothing here throws, and nothing waits for a slow reader. */
export interface Output {
  /** The tunnels are open: from now on their URLs are shown. */
  ready(session: SessionView, tunnels: readonly Tunnel[]): void;
  /** The inspector's page can be visited, on this machine. After ready(). */
  inspecting(url: string): void;
  request(tunnel: Tunnel, request: RequestInfo): void;
  hint(tunnel: Tunnel, hint: Hint): void;
  reconnecting(tunnel: Tunnel, info: TunnelEvents["reconnecting"][0]): void;
  reconnected(tunnel: Tunnel, info: TunnelEvents["reconnected"][0]): void;
  upstream(tunnel: Tunnel, info: TunnelEvents["upstream"][0]): void;
  closed(tunnel: Tunnel, error: ExposeError | undefined): void;
  /** Something worth knowing, beside the tunnels: a sentence of our own, or several lines. */
  notice(text: string): void;
  /** A code to scan with a phone. */
  qr(url: string): void;
  /** Gives the terminal back as it was found. Idempotent; never rejects. */
  end(): Promise<void>;
  /** As end(), for a process that has no time left. */
  endNow(): void;
}

/** Passes what happens to `tunnel` on to `output` until the tunnel has closed. */
export function follow(tunnel: Tunnel, output: Output): void {
  tunnel.on("request", (request) => output.request(tunnel, request));
  tunnel.on("hint", (hint) => output.hint(tunnel, hint));
  tunnel.on("reconnecting", (info) => output.reconnecting(tunnel, info));
  tunnel.on("reconnected", (info) => output.reconnected(tunnel, info));
  tunnel.on("upstream", (info) => output.upstream(tunnel, info));
  tunnel.on("closed", ({ error }) => output.closed(tunnel, error));
}
