// A tunnel while it is open: the object behind the Tunnel that the rest of the edge sees.
import type { Forward } from "../ingress/forward.ts";
import type { Identity } from "../registry/identity.ts";
import { Closable } from "../util/closable.ts";
import type { Tunnel } from "./tunnel.ts";

/** Why a tunnel closed; it decides what becomes of the name. */
export type CloseCause =
  /** Its owner closed it: the name is free at once. */
  | "released"
  /** The connection vanished: the name is kept for the owner for a while. */
  | "lost"
  /** The owner's newer session has it. */
  | "superseded"
  /** The owner's key was removed: the name is free at once. */
  | "revoked";

/** Whoever holds tunnels: a session, from the routes' point of view. */
export interface TunnelOwner {
  readonly identity: Identity;
  /** Hears that another session of the same identity has taken this tunnel's name. Must end what belongs to it. */
  superseded(tunnel: LiveTunnel): void;
  /** Hears that the tunnel closed because its forward ended or the session was lost. */
  lost(tunnel: LiveTunnel): void;
}

/** What its client says of a tunnel while it is open. */
export interface TunnelNews {
  /** Undefined while it has said nothing, or that the local service answers. */
  upstreamDown: { readonly reason: string } | undefined;
  /** Whether somebody wants to hear of each request. */
  watched: boolean;
}

/** What a tunnel is made from. */
export interface TunnelParts {
  name: string;
  hostname: string;
  url: string;
  owner: TunnelOwner;
  forward: Forward;
  hostHeader: string;
  upstream: string;
}

/** See {@link Tunnel}. Closed by the table alone, which keeps the names in order. */
export class LiveTunnel extends Closable implements Tunnel, TunnelNews {
  readonly name: string;
  readonly hostname: string;
  readonly url: string;
  readonly owner: TunnelOwner;
  readonly forward: Forward;
  readonly hostHeader: string;
  readonly upstream: string;
  upstreamDown: { readonly reason: string } | undefined = undefined;
  watched = false;

  constructor(parts: TunnelParts) {
    super();
    this.name = parts.name;
    this.hostname = parts.hostname;
    this.url = parts.url;
    this.owner = parts.owner;
    this.forward = parts.forward;
    this.hostHeader = parts.hostHeader;
    this.upstream = parts.upstream;
  }

  get identityId(): string {
    return this.owner.identity.id;
  }
}
