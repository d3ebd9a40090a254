// What the HTTP engine keeps for each open tunnel, and forgets when it closes.
import {
  decideHostHeader,
  type HostHeaderChange,
} from "../policy/host-header.ts";
import type { Tunnel } from "../routes/tunnel.ts";
import type { HttpLimits, HttpTimeouts } from "./limits.ts";
import { Pool } from "./pool.ts";
import { Shares } from "./shares.ts";

/** One open tunnel. */
export interface TunnelState {
  readonly tunnel: Tunnel;
  readonly pool: Pool;
  readonly change: HostHeaderChange;
  /** Who has how much of it. */
  readonly shares: Shares;
  upgrades: number;
}

/** All tunnels that have been asked for. */
export class TunnelStates {
  readonly #states = new Map<Tunnel, TunnelState>();
  readonly #limits: HttpLimits;
  readonly #timeouts: HttpTimeouts;
  readonly #onBug: (error: unknown) => void;

  constructor(
    limits: HttpLimits,
    timeouts: HttpTimeouts,
    onBug: (error: unknown) => void,
  ) {
    this.#limits = limits;
    this.#timeouts = timeouts;
    this.#onBug = onBug;
  }

  get size(): number {
    return this.#states.size;
  }

  /** Pooled connections that are open, all tunnels together. */
  get connections(): number {
    let connections = 0;
    for (const state of this.#states.values()) connections += state.pool.size;
    return connections;
  }

  /** The state of a tunnel, made at the first call. Its pool ends with the tunnel. */
  of(tunnel: Tunnel): TunnelState {
    const known = this.#states.get(tunnel);
    if (known) return known;
    const state: TunnelState = {
      tunnel,
      pool: new Pool({
        forward: tunnel.forward,
        limits: this.#limits,
        idleMs: this.#timeouts.poolIdleMs,
        onBug: this.#onBug,
      }),
      change: decideHostHeader(tunnel.hostHeader, tunnel.upstream, tunnel.url),
      shares: new Shares(
        this.#limits.requestsPerTunnel,
        this.#limits.connectionsPerTunnel,
      ),
      upgrades: 0,
    };
    this.#states.set(tunnel, state);
    tunnel.onceClosed(() => {
      this.#states.delete(tunnel);
      state.pool.close();
      state.shares.close();
    });
    return state;
  }

  /** @param now by the engine's clock */
  sweep(now: number): void {
    for (const { pool, shares } of this.#states.values()) {
      pool.sweep(now);
      shares.sweep();
    }
  }

  /** Ends the connections of all tunnels. The tunnels stay open. */
  close(): void {
    for (const state of this.#states.values()) state.pool.close();
    this.#states.clear();
  }
}
