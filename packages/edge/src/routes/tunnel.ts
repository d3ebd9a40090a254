// An open tunnel as the edge sees it: a name, the forward that it leads to, and how requests are to be changed.
import type { Forward } from "../ingress/forward.ts";

/** An open tunnel. It exists as long as its session and its forward do, and not a moment longer. */
export interface Tunnel {
  readonly name: string;
  /** `name.domain`, without a port. */
  readonly hostname: string;
  /** What visitors type, scheme and port included. */
  readonly url: string;
  readonly identityId: string;
  readonly forward: Forward;
  /** `preserve`, `rewrite` or a literal host. */
  readonly hostHeader: string;
  /** The local address as its owner wrote it, for error pages: `localhost:8080`. */
  readonly upstream: string;
  /** What the client last said of the local service; undefined while it has said nothing. */
  readonly upstreamDown: { readonly reason: string } | undefined;
  readonly closed: boolean;
  /** Calls back once when the tunnel has closed (at once when it already has). @returns a function that forgets it */
  onceClosed(callback: () => void): () => void;
}

/** What a host name leads to. */
export type Route =
  | { readonly kind: "tunnel"; readonly tunnel: Tunnel }
  /** The name is leased and its client is away; `back` waits for it. */
  | {
      readonly kind: "away";
      /** Resolves with the tunnel when it is back, with undefined after `waitMs` or when the lease runs out. */
      back(waitMs: number): Promise<Tunnel | undefined>;
      /** Seconds for Retry-After. */
      readonly retryAfterS: number;
    }
  /** Under the edge's domain, and nobody's. */
  | { readonly kind: "unknown" }
  /** Not under the edge's domain. */
  | { readonly kind: "foreign" };

/** What http/ asks of the routes. */
export interface Router {
  /** @param hostname lower case, without port or trailing dot, checked to be a host name or an IP address */
  find(hostname: string): Route;
}
