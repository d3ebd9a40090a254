// A session: tunnels over one SSH connection that is opened again for ever when it is lost. The composition root of
// the client: joins ssh/ and local/ and keeps every tunnel's URL the same over reconnects.
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { formatUpstreamSpec } from "@expose/protocol";
import { completeOptions } from "./complete-options.ts";
import { ExposeError } from "./errors.ts";
import { createUpstream, type Upstream } from "./local/upstream.ts";
import { validateUpstream } from "./local/validate-upstream.ts";
import type { SessionOptions, TunnelOptions } from "./options.ts";
import { resolveUpstreamSpec } from "./resolve-upstream.ts";
import {
  HEALTHY_AFTER_MS,
  isHopeless,
  isNetworkAway,
  nextDelayMs,
} from "./ssh/backoff.ts";
import {
  openControlLink,
  type ControlLink,
  type LinkTunnel,
} from "./ssh/control-link.ts";
import { createConnector, type Connector } from "./ssh/connector.ts";
import type { ConnectionFacts } from "./ssh/connection-facts.ts";
import type { SessionState, Tunnel, TunnelEvents } from "./tunnel.ts";

/** Events of a session; its tunnels have their own. */
export interface SessionEvents {
  reconnecting: TunnelEvents["reconnecting"];
  reconnected: [info: { downMs: number }];
  closed: TunnelEvents["closed"];
}

/** Tunnels over one SSH connection. */
export interface Session extends EventEmitter<SessionEvents>, AsyncDisposable {
  /** `host` or `host:port`, as resolved. */
  readonly server: string;
  /** Who the edge says that we are. */
  readonly identity: string;
  /** URL of a tunnel with `*` in place of its name. */
  readonly urlPattern: string;
  readonly ingress: "openssh" | "embedded";
  /** Product and version of the edge: `expose-edge/0.1.0`. */
  readonly edgeVersion: string;
  /** The key that the server accepted, its own key, and what else there was to log in with. */
  readonly connectionFacts: ConnectionFacts;
  readonly state: SessionState;
  /** Round trip to the edge in milliseconds, as last measured. */
  readonly latencyMs: number | undefined;
  /**
   * Opens a tunnel.
   * @throws ExposeError `name-refused`, `tunnel-refused`, `upstream-invalid`, `connection-lost`
   */
  open(options: TunnelOptions): Promise<Tunnel>;
  /** Closes every tunnel and the connection. Idempotent; never throws. */
  close(): Promise<void>;
  /** Resolves when the session has closed, rejects with the error that ended it. */
  readonly closed: Promise<void>;
}

const PING_EVERY_MS = 15_000;
// One look at a network that may be away: the first SYN and one that the kernel sends again after a second. Once the
// server has answered, it gets the time that it needs.
const LOOK = { connectMs: 2_500, loginMs: 10_000 };
// A close says goodbye, but waits for nobody.
const GOODBYE_MS = 500;

/**
 * Connects to the server and greets the edge. The first attempt is not repeated: what is wrong is said at once.
 *
 * @throws ExposeError, see docs/errors.md
 */
export async function openSession(
  options: SessionOptions = {},
): Promise<Session> {
  options.signal?.throwIfAborted();
  const complete = await completeOptions(options);
  const connector = await createConnector(complete);
  const session = new ReconnectingSession(connector, complete);
  await session.start();
  return session;
}

class ReconnectingSession
  extends EventEmitter<SessionEvents>
  implements Session
{
  readonly server: string;
  readonly closed: Promise<void>;
  state: SessionState = "connecting";
  latencyMs: number | undefined = undefined;
  readonly #connector: Connector;
  readonly #options: SessionOptions;
  readonly #stop = new AbortController();
  readonly #tunnels = new Map<number, SessionTunnel>();
  #nextId = 1;
  #link: ControlLink | undefined;
  #pingTimer: NodeJS.Timeout | undefined;
  #settleClosed!: (error: ExposeError | undefined) => void;

  constructor(connector: Connector, options: SessionOptions) {
    super();
    this.#connector = connector;
    this.#options = options;
    this.server = connector.target.label;
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (error) => (error ? reject(error) : resolve());
    });
    // Whoever does not look at `closed` hears of the error by the event; it is no unhandled rejection.
    this.closed.catch(() => {});
  }

  get identity(): string {
    return this.#welcome().identity;
  }
  get urlPattern(): string {
    return this.#welcome().url;
  }
  get ingress(): "openssh" | "embedded" {
    return this.#welcome().ingress;
  }
  get edgeVersion(): string {
    return this.#welcome().edge;
  }
  get connectionFacts(): ConnectionFacts {
    return this.#connector.facts!;
  }

  async start(): Promise<void> {
    const { signal } = this.#options;
    const abort = (): void => void this.close();
    try {
      signal?.addEventListener("abort", abort, { once: true });
      await this.#connect();
    } catch (error) {
      signal?.removeEventListener("abort", abort);
      this.#stop.abort();
      if (signal?.aborted) throw aborted(signal);
      throw error;
    }
    this.closed
      .catch(() => {})
      .finally(() => signal?.removeEventListener("abort", abort));
  }

  async open(options: TunnelOptions): Promise<Tunnel> {
    await validateUpstream(resolveUpstreamSpec(options), {
      ca: options.upstreamCa,
    });
    const link = this.#link;
    if (!link)
      throw new ExposeError(
        "connection-lost",
        "The connection to the edge is down at the moment; open the tunnel when it is back.",
      );
    const tunnel = new SessionTunnel(this.#nextId++, options, {
      session: this,
      release: (released) => this.#release(released),
    });
    try {
      await tunnel.attach(link);
    } catch (error) {
      await tunnel.finish(undefined);
      throw error;
    }
    this.#tunnels.set(tunnel.id, tunnel);
    return tunnel;
  }

  async close(): Promise<void> {
    await this.#end(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #connect(timeouts?: typeof LOOK): Promise<void> {
    const { signal } = this.#stop;
    const connection = await this.#connector.connect(signal, timeouts);
    const openedAt = performance.now();
    let link: ControlLink;
    try {
      link = await openControlLink(
        connection,
        {
          request: (message) => this.#tunnels.get(message.id)?.report(message),
          closed: (message) => this.#edgeCloses(message),
        },
        { watchRequests: this.#options.watchRequests ?? true },
      );
      await Promise.all(
        [...this.#tunnels.values()].map((tunnel) =>
          this.#reattach(tunnel, link),
        ),
      );
      signal.throwIfAborted();
    } catch (error) {
      await connection.close().catch(() => {});
      throw error;
    }
    this.#link = link;
    this.state = "online";
    this.#watchLatency(link);
    connection.onceClosed((error) => {
      if (this.#link !== link) return;
      this.#link = undefined;
      clearTimeout(this.#pingTimer);
      if (signal.aborted) return;
      for (const tunnel of this.#tunnels.values()) tunnel.detach();
      const cause =
        error ??
        new ExposeError("connection-lost", "The server closed the connection.");
      const healthy = performance.now() - openedAt >= HEALTHY_AFTER_MS;
      void this.#reconnect(cause, healthy);
    });
  }

  #attempt = 0;

  async #reconnect(cause: ExposeError, wasHealthy: boolean): Promise<void> {
    this.state = "reconnecting";
    const lostAt = performance.now();
    if (wasHealthy) this.#attempt = 0;
    let error = cause;
    for (;;) {
      if (isHopeless(error)) return this.#end(error);
      this.#attempt++;
      const attempt = this.#attempt;
      const delayMs = nextDelayMs(attempt, error, Math.random());
      this.emit("reconnecting", { attempt, delayMs, error });
      for (const tunnel of this.#tunnels.values())
        tunnel.emit("reconnecting", { attempt, delayMs, error });
      try {
        await sleep(delayMs, undefined, { signal: this.#stop.signal });
        await this.#connect(LOOK);
        break;
      } catch (failure) {
        if (this.#stop.signal.aborted) return;
        error = asExposeError(failure);
        // Looks at a network that is away are no attempts at a server: the short delays are for when it is back.
        if (isNetworkAway(error)) this.#attempt = Math.min(this.#attempt, 1);
      }
    }
    const downMs = Math.round(performance.now() - lostAt);
    this.emit("reconnected", { downMs });
    for (const tunnel of this.#tunnels.values())
      tunnel.emit("reconnected", { url: tunnel.url, downMs });
  }

  async #reattach(tunnel: SessionTunnel, link: ControlLink): Promise<void> {
    try {
      await tunnel.attach(link);
    } catch (error) {
      const failure = asExposeError(error);
      if (!failure.final) throw failure;
      this.#tunnels.delete(tunnel.id);
      await tunnel.finish(failure);
      if (this.#tunnels.size === 0) void this.#end(failure);
    }
  }

  #edgeCloses(message: {
    id?: number | undefined;
    code: string;
    message: string;
    retry: boolean;
  }): void {
    // "Draining": the edge ends the connection itself once running requests are through, and we come back then.
    if (message.retry) return;
    const code =
      message.code === "superseded" || message.code === "revoked"
        ? message.code
        : "tunnel-refused";
    const error = new ExposeError(code, message.message);
    if (message.id === undefined) return void this.#end(error);
    const tunnel = this.#tunnels.get(message.id);
    if (!tunnel) return;
    this.#tunnels.delete(message.id);
    void tunnel.finish(error);
    if (this.#tunnels.size === 0) void this.#end(error);
  }

  #release(tunnel: SessionTunnel): void {
    this.#tunnels.delete(tunnel.id);
  }

  #watchLatency(link: ControlLink): void {
    const measure = async (): Promise<void> => {
      try {
        this.latencyMs = await link.ping();
      } catch {
        return; // The link is lost, and whoever watches it knows.
      }
      if (this.#link !== link) return;
      this.#pingTimer = setTimeout(() => void measure(), PING_EVERY_MS);
      this.#pingTimer.unref();
    };
    void measure();
  }

  #ending: Promise<void> | undefined;

  #end(error: ExposeError | undefined): Promise<void> {
    this.#ending ??= this.#endOnce(error);
    return this.#ending;
  }

  async #endOnce(error: ExposeError | undefined): Promise<void> {
    this.state = "closed";
    this.#stop.abort();
    clearTimeout(this.#pingTimer);
    const link = this.#link;
    const tunnels = [...this.#tunnels.values()];
    this.#tunnels.clear();
    await Promise.all(tunnels.map((tunnel) => tunnel.finish(error)));
    if (link) await sayGoodbye(link);
    this.#link = undefined;
    this.emit("closed", { error });
    this.#settleClosed(error);
  }

  #welcome(): ControlLink["welcome"] {
    const welcome = this.#link?.welcome ?? this.#lastWelcome;
    if (!welcome) throw new Error("The session was never connected.");
    this.#lastWelcome = welcome;
    return welcome;
  }
  #lastWelcome: ControlLink["welcome"] | undefined;
}

interface TunnelHost {
  readonly session: ReconnectingSession;
  release(tunnel: SessionTunnel): void;
}

class SessionTunnel extends EventEmitter<TunnelEvents> implements Tunnel {
  readonly id: number;
  readonly upstream: string;
  readonly closed: Promise<void>;
  readonly #options: TunnelOptions;
  readonly #host: TunnelHost;
  readonly #local: Upstream;
  #given: LinkTunnel | undefined;
  #link: ControlLink | undefined;
  #settleClosed!: (error: ExposeError | undefined) => void;
  #finishing: Promise<void> | undefined;

  constructor(id: number, options: TunnelOptions, host: TunnelHost) {
    super();
    this.id = id;
    this.#options = options;
    this.#host = host;
    const spec = resolveUpstreamSpec(options);
    this.upstream = formatUpstreamSpec(spec);
    this.#local = createUpstream(spec, {
      ca: options.upstreamCa,
      onHint: (hint) => this.emit("hint", hint),
      publicUrl: () => this.url,
    });
    this.#local.onStateChange((state, reason) => {
      this.#link?.reportUpstream(this.id, state, reason);
      this.emit("upstream", { state, reason });
    });
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (error) => (error ? reject(error) : resolve());
    });
    this.closed.catch(() => {});
  }

  get url(): string {
    return this.#given?.url ?? "";
  }
  get name(): string {
    return this.#given?.name ?? "";
  }
  get state(): SessionState {
    return this.#finishing ? "closed" : this.#host.session.state;
  }
  get openConnections(): number {
    return this.#local.openConnections;
  }
  get latencyMs(): number | undefined {
    return this.#host.session.latencyMs;
  }

  /** Opens the tunnel on a link: for the first time, or again under the same name. */
  async attach(link: ControlLink): Promise<void> {
    this.#given = await link.open({
      id: this.id,
      name: this.#given?.name ?? this.#options.name,
      resume: this.#given?.resume,
      hostHeader: this.#options.hostHeader,
      upstream: this.upstream.slice(0, 260),
      serve: (channel: Duplex, pressure) =>
        this.#local.serve(channel, pressure),
    });
    this.#link = link;
    if (this.#local.downReason !== undefined)
      link.reportUpstream(this.id, "down", this.#local.downReason);
  }

  detach(): void {
    this.#link = undefined;
  }

  report(
    message: Parameters<Parameters<typeof openControlLink>[1]["request"]>[0],
  ): void {
    this.emit("request", {
      method: message.method,
      path: message.path,
      status: message.status,
      durationMs: message.ms,
      visitor: message.visitor,
      bytesIn: message.bytesIn,
      bytesOut: message.bytesOut,
      error: message.error,
      dropped: message.dropped ?? 0,
    });
  }

  async close(): Promise<void> {
    this.#host.release(this);
    await this.finish(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Ends the tunnel for whatever reason; the session forgets it by itself. */
  finish(error: ExposeError | undefined): Promise<void> {
    this.#finishing ??= this.#finishOnce(error);
    return this.#finishing;
  }

  async #finishOnce(error: ExposeError | undefined): Promise<void> {
    if (this.#given) this.#link?.closeTunnel(this.id, this.#given.port);
    this.#link = undefined;
    await this.#local.close();
    this.emit("closed", { error });
    this.#settleClosed(error);
  }
}

// The edge frees names when it has read that they are given back; an answer says that it has.
async function sayGoodbye(link: ControlLink): Promise<void> {
  const patience = new AbortController();
  await Promise.race([
    link
      .ping()
      .catch(() => {})
      .then(() => link.close()),
    sleep(GOODBYE_MS, undefined, { signal: patience.signal }).catch(() => {}),
  ]);
  patience.abort();
  await link.close();
}

function asExposeError(error: unknown): ExposeError {
  if (error instanceof ExposeError) return error;
  return new ExposeError(
    "connection-lost",
    `The connection failed: ${error instanceof Error ? error.message : String(error)}.`,
    { cause: error },
  );
}

const aborted = (signal: AbortSignal): ExposeError =>
  new ExposeError("aborted", "The session was ended by its caller.", {
    cause: signal.reason,
  });
