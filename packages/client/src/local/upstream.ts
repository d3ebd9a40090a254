// The local service behind a tunnel: serves channels with connections to it, and knows whether it answers.
import type { Duplex } from "node:stream";
import {
  type JoinResult,
  type LinkPressure,
  type UpstreamSpec,
} from "@expose/protocol";
import type { Hint } from "../tunnel.ts";
import { createAvailability, type UpstreamState } from "./availability.ts";
import { createCheckedDial } from "./checked-dial.ts";
import { createDialer } from "./dial.ts";
import { explainDialError } from "./dial-error.ts";
import { createRefusedHostWatcher } from "./refused-host.ts";
import { serveChannel, type ChannelTap } from "./serve-channel.ts";
import { readAuthorities } from "./validate-upstream.ts";

/** Settings of {@link createUpstream}. */
export interface UpstreamOptions {
  /** PEM file with authorities that a TLS upstream is verified against, in addition to Node's own. */
  ca?: string | undefined;
  /** Dial when a channel opens, not at its first byte. For TCP, where often the server speaks first. Default: false. */
  eager?: boolean | undefined;
  /** How long a service that was up may be gone before its connections fail. Default: 4 seconds. */
  bridgeMs?: number | undefined;
  /** Hears once per framework that refuses the public host name. Not with `eager`. */
  onHint?: ((hint: Hint) => void) | undefined;
  /** The tunnel's URL, for the line that a hint proposes; asked when there is something to hint at. */
  publicUrl?: (() => string) | undefined;
  /** Looks at each connection that was made: whether it leads to where no visitor may get. */
  isForbidden?: ((stream: Duplex) => boolean) | undefined;
  /** Asked for each channel: who looks on. */
  tap?: (() => ChannelTap) | undefined;
}

/** Hears of each change of state. `reason` is one sentence of ours, fit for visitors, while the service is down. */
export type StateListener = (
  state: UpstreamState,
  reason: string | undefined,
) => void;

/** A local service. */
export interface Upstream {
  /**
   * Joins a channel with a connection to the service. On failure the channel is destroyed with nothing written to it.
   * Never throws.
   *
   * @param channel unread
   * @param link pressure of the SSH link under the channel
   * @param done called exactly once, when nothing more can pass; `a` is the service, `b` the channel
   */
  serve(
    channel: Duplex,
    link: LinkPressure | undefined,
    done?: (result: JoinResult) => void,
  ): void;
  /**
   * Connects to the service for something other than a channel.
   * @throws Error of the dial
   */
  dial(signal: AbortSignal): Promise<Duplex>;
  /** Channels that are served right now, idle ones included. */
  readonly openConnections: number;
  /** As the last connection told; `up` before the first. */
  readonly state: UpstreamState;
  readonly downReason: string | undefined;
  /** @returns a function that forgets the listener */
  onStateChange(listener: StateListener): () => void;
  /** Cuts every connection; channels that come later are destroyed. Does not stop the service. Idempotent. */
  close(): Promise<void>;
}

const DEFAULT_BRIDGE_MS = 4_000;

/**
 * Prepares a local service; it is dialled when the first channel says something.
 *
 * @throws ExposeError `upstream-invalid` when the file of authorities cannot be used
 */
export function createUpstream(
  spec: UpstreamSpec,
  options: UpstreamOptions = {},
): Upstream {
  const { eager = false, bridgeMs = DEFAULT_BRIDGE_MS, onHint } = options;
  const dialer = createDialer(
    spec,
    options.ca === undefined ? undefined : readAuthorities(options.ca),
  );
  const listeners = new Set<StateListener>();
  const availability = createAvailability({
    dial: options.isForbidden
      ? createCheckedDial(dialer.dial, options.isForbidden)
      : dialer.dial,
    explain: (error) => explainDialError(spec, error),
    bridgeMs,
    onChange: (state, reason) => {
      for (const listener of [...listeners]) listener(state, reason);
    },
  });
  const watcher =
    onHint && !eager
      ? createRefusedHostWatcher({
          onHint,
          publicUrl: options.publicUrl ?? (() => ""),
        })
      : undefined;
  const cuts = new Set<() => void>();
  let closed = false;

  return {
    serve(channel, link, done) {
      const cut = serveChannel(
        channel,
        link,
        {
          connect: availability.connect,
          eager,
          observe: watcher?.watchConnection(),
          tap: options.tap?.(),
        },
        (result) => {
          cuts.delete(cut);
          done?.(result);
        },
      );
      cuts.add(cut);
      if (closed) cut();
    },
    dial: (signal) => availability.connect(signal),
    get openConnections() {
      return cuts.size;
    },
    get state() {
      return availability.state;
    },
    get downReason() {
      return availability.downReason;
    },
    onStateChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      closed = true;
      for (const cut of [...cuts]) cut();
      dialer.close();
      return Promise.resolve();
    },
  };
}
