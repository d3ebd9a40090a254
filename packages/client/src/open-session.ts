// A session: tunnels over one SSH connection that is opened again for ever when it is lost. The composition root of
// the client: joins ssh/ and local/ and keeps every tunnel's URL the same over reconnects.
import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { EdgeMessage } from "@expose/protocol";
import { completeOptions } from "./complete-options.ts";
import { ExposeError } from "./errors.ts";
import {
  keepConnection,
  type Keepable,
  type KeptConnection,
} from "./kept-connection.ts";
import { validateUpstream } from "./local/validate-upstream.ts";
import type { SessionOptions, TunnelOptions } from "./options.ts";
import { refuseOwnInspector } from "./own-inspector.ts";
import { resolveUpstreamSpec } from "./resolve-upstream.ts";
import {
  createSessionInspection,
  type SessionInspection,
} from "./session-inspection.ts";
import { SessionTunnel } from "./session-tunnel.ts";
import type { ConnectionFacts } from "./ssh/connection-facts.ts";
import { createConnector, type Connector } from "./ssh/connector.ts";
import {
  startControlLink,
  type ControlLink,
  type Welcome,
} from "./ssh/control-link.ts";
import type { SshConnection } from "./ssh/ssh-connection.ts";
import type { SessionState, Tunnel, TunnelEvents } from "./tunnel.ts";

/** Events of a session; its tunnels have their own. */
export interface SessionEvents {
  reconnecting: TunnelEvents["reconnecting"];
  reconnected: [info: { downMs: number }];
  closed: TunnelEvents["closed"];
  inspecting: TunnelEvents["inspecting"];
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
  /** Where the inspector's page is, on this machine; undefined until it is there, and without an inspector. */
  readonly inspectorUrl: string | undefined;
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

const MAX_TUNNEL_ID = 0xffff;
const PING_EVERY_MS = 15_000;
// How long what was sent over a connection that was given up may still reach the edge: TCP sends again for minutes.
const ECHO_MS = 5 * 60_000;
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
  const { session } = await openTunnels(options, []);
  return session;
}

/**
 * Opens a session with its first tunnels, which on a slow line is two round trips faster than one after the other.
 *
 * @param check hears the pattern of the edge's URLs before a tunnel is asked for, and throws to prevent that; costs a
 * round trip
 * @returns the session, and the tunnels in the order of their options
 * @throws ExposeError as openSession() and Session.open(), whose error is that of the first tunnel that is refused; then
 * nothing is left open
 */
export async function openTunnels(
  options: SessionOptions,
  wanted: readonly TunnelOptions[],
  check?: (urlPattern: string) => void,
): Promise<{ session: Session; tunnels: Tunnel[] }> {
  for (const tunnel of wanted) await checkUpstream(tunnel);
  const complete = await completeOptions(options);
  const connector = await createConnector(complete);
  const session = new EdgeSession(connector, complete);
  const tunnels = await session.start(wanted, check);
  return { session, tunnels };
}

class EdgeSession extends EventEmitter<SessionEvents> implements Session {
  readonly server: string;
  readonly closed: Promise<void>;
  latencyMs: number | undefined = undefined;
  readonly inspection: SessionInspection | undefined;
  inspectorUrl: string | undefined = undefined;
  readonly #connector: Connector;
  readonly #options: SessionOptions;
  readonly #tunnels = new Map<number, SessionTunnel>();
  #lastId = 0;
  #kept: KeptConnection<Keepable> | undefined;
  /** Undefined while the connection is down. */
  #link: ControlLink | undefined;
  #welcome: Welcome | undefined;
  #pingTimer: NodeJS.Timeout | undefined;
  /** When a connection was given up that had asked for the tunnels and not heard the answer. */
  #givenUpAt = -Infinity;
  #settleClosed!: (error: ExposeError | undefined) => void;

  constructor(connector: Connector, options: SessionOptions) {
    super();
    this.#connector = connector;
    this.#options = options;
    this.server = connector.target.label;
    this.inspection = createSessionInspection(options.inspect, {
      tunnels: () => [...this.#tunnels.values()],
      log: options.log,
      onUrl: (url) => {
        this.inspectorUrl = url;
        this.emit("inspecting", { url });
        for (const tunnel of this.#tunnels.values())
          tunnel.emit("inspecting", { url });
      },
      onWebhook: (summary) => {
        for (const tunnel of this.#tunnels.values())
          if (tunnel.name === summary.tunnel) tunnel.explained(summary);
      },
    });
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (error) => (error ? reject(error) : resolve());
    });
    // Whoever does not look at `closed` hears of the error by the event; it is no unhandled rejection.
    this.closed.catch(() => {});
  }

  get state(): SessionState {
    return this.#kept?.state ?? "connecting";
  }
  get identity(): string {
    return this.#welcome!.identity;
  }
  get urlPattern(): string {
    return this.#welcome!.url;
  }
  get ingress(): "openssh" | "embedded" {
    return this.#welcome!.ingress;
  }
  get edgeVersion(): string {
    return this.#welcome!.edge;
  }
  get connectionFacts(): ConnectionFacts {
    return this.#connector.facts!;
  }

  /** Connects. Everything else of the session may be used afterwards only. */
  async start(
    wanted: readonly TunnelOptions[],
    check?: (urlPattern: string) => void,
  ): Promise<Tunnel[]> {
    const tunnels = wanted.map(
      (options) => new SessionTunnel(this.#freeId(), options, this),
    );
    for (const tunnel of tunnels) this.#tunnels.set(tunnel.id, tunnel);
    try {
      await this.#keep(check);
      if (tunnels.length > 0) this.inspection?.start();
      return tunnels;
    } catch (error) {
      await this.#finishTunnels(undefined);
      throw error;
    }
  }

  async #keep(check?: (urlPattern: string) => void): Promise<void> {
    this.#kept = await keepConnection<Keepable>({
      connect: (signal, timeouts) => this.#connect(signal, timeouts, check),
      onReconnecting: (info) => {
        this.emit("reconnecting", info);
        for (const tunnel of this.#tunnels.values())
          tunnel.emit("reconnecting", info);
      },
      onReconnected: (info) => {
        const downMs = Math.round(info.downMs);
        this.emit("reconnected", { downMs });
        for (const tunnel of this.#tunnels.values())
          tunnel.emit("reconnected", { url: tunnel.url, downMs });
      },
      onClosed: (error) => void this.#finished(error),
      signal: this.#options.signal,
    });
  }

  async open(options: TunnelOptions): Promise<Tunnel> {
    await checkUpstream(options);
    const link = this.#link;
    if (!link)
      throw new ExposeError(
        "connection-lost",
        "The connection to the edge is down at the moment; open the tunnel when it is back.",
      );
    const tunnel = new SessionTunnel(this.#freeId(), options, this);
    try {
      await tunnel.attach(link);
    } catch (error) {
      await tunnel.finish(undefined);
      throw error;
    }
    this.#tunnels.set(tunnel.id, tunnel);
    this.inspection?.start();
    return tunnel;
  }

  // Numbers go round: the protocol has 16 bits for them, and a session may open and close tunnels for years.
  #freeId(): number {
    do this.#lastId = (this.#lastId % MAX_TUNNEL_ID) + 1;
    while (this.#tunnels.has(this.#lastId));
    return this.#lastId;
  }

  release(tunnel: SessionTunnel): void {
    this.#tunnels.delete(tunnel.id);
  }

  async close(): Promise<void> {
    await this.#end(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // Opens a connection, greets the edge, and opens every tunnel again that there was.
  async #connect(
    signal: AbortSignal,
    timeouts: Parameters<Connector["connect"]>[1],
    check: ((urlPattern: string) => void) | undefined,
  ): Promise<Keepable> {
    const connection = await this.#connector.connect(signal, timeouts);
    // The connector's part is over: from here on it is we who give up when told to.
    const cut = (): void => connection.destroy(aborted());
    signal.addEventListener("abort", cut, { once: true });
    if (signal.aborted) cut();
    const link = startControlLink(
      connection,
      {
        request: (message) => this.#tunnels.get(message.id)?.report(message),
        closed: (message) => this.#edgeCloses(message, connection),
      },
      { watchRequests: this.#options.watchRequests ?? true },
    );
    let welcome: Welcome | undefined;
    try {
      const attaching = this.#attachAll(link, check);
      // That there is no edge explains why there are no tunnels, and not the other way round.
      attaching.catch(() => {});
      welcome = await link.greeted;
      await attaching;
    } catch (error) {
      const isFirst = this.#kept === undefined;
      if (isFirst && welcome) {
        // Those that did open are given back: nobody is going to come back for them.
        await this.#finishTunnels(undefined);
        await sayGoodbye(link);
      } else {
        this.#givenUpAt = performance.now();
        await connection.close();
      }
      throw error;
    } finally {
      signal.removeEventListener("abort", cut);
    }
    this.#link = link;
    this.#welcome = welcome;
    this.#watchLatency(link);
    connection.onceClosed(() => {
      if (this.#link !== link) return;
      this.#link = undefined;
      clearTimeout(this.#pingTimer);
      for (const tunnel of this.#tunnels.values()) tunnel.detach();
    });
    return {
      onceClosed: (callback) => connection.onceClosed(callback),
      close: async (error) => {
        await this.#finishTunnels(error);
        await sayGoodbye(link);
      },
    };
  }

  async #attachAll(
    link: ControlLink,
    check: ((urlPattern: string) => void) | undefined,
  ): Promise<void> {
    const isFirst = this.#kept === undefined;
    if (isFirst && check) check((await link.greeted).url);
    const ends = await Promise.allSettled(
      [...this.#tunnels.values()].map((tunnel) =>
        isFirst ? tunnel.attach(link) : this.#reattach(tunnel, link),
      ),
    );
    // The first of the list, whichever was answered first.
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #reattach(tunnel: SessionTunnel, link: ControlLink): Promise<void> {
    try {
      await tunnel.attach(link);
    } catch (error) {
      if (!(error instanceof ExposeError) || !error.final) throw error;
      await this.#drop(tunnel, error);
    }
  }

  #edgeCloses(
    message: EdgeMessage & { t: "closed" },
    connection: SshConnection,
  ): void {
    // "Draining": the edge ends the connection itself once running requests are through, and we come back then.
    if (message.retry) return;
    // What we asked for over a connection that we gave up has reached the edge after all, and later than what we asked
    // for over this one: it was we who took the name. We take it back, once; whoever takes it then is somebody else.
    if (
      message.code === "superseded" &&
      performance.now() - this.#givenUpAt < ECHO_MS
    ) {
      this.#givenUpAt = -Infinity;
      return connection.destroy(supersededByEcho());
    }
    const code =
      message.code === "superseded" || message.code === "revoked"
        ? message.code
        : "tunnel-refused";
    const error = new ExposeError(code, message.message);
    if (message.id === undefined) return void this.#end(error);
    const tunnel = this.#tunnels.get(message.id);
    if (tunnel) void this.#drop(tunnel, error);
  }

  // A session whose last tunnel was taken away has nothing left to do.
  async #drop(tunnel: SessionTunnel, error: ExposeError): Promise<void> {
    this.#tunnels.delete(tunnel.id);
    await tunnel.finish(error);
    if (this.#tunnels.size === 0) void this.#end(error);
  }

  #watchLatency(link: ControlLink): void {
    const measure = async (): Promise<void> => {
      try {
        this.latencyMs = await link.ping();
      } catch {
        // The link is lost, which the next line finds, or slow: then the next answer may come in time.
      }
      if (this.#link !== link) return;
      this.#pingTimer = setTimeout(() => void measure(), PING_EVERY_MS);
      this.#pingTimer.unref();
    };
    void measure();
  }

  async #end(error: ExposeError | undefined): Promise<void> {
    await this.#kept?.close(error);
    await this.closed.catch(() => {});
  }

  async #finishTunnels(error: ExposeError | undefined): Promise<void> {
    const tunnels = [...this.#tunnels.values()];
    this.#tunnels.clear();
    await Promise.all(tunnels.map((tunnel) => tunnel.finish(error)));
  }

  async #finished(error: ExposeError | undefined): Promise<void> {
    clearTimeout(this.#pingTimer);
    this.#link = undefined;
    await this.#finishTunnels(error);
    await this.inspection?.close();
    this.emit("closed", { error });
    this.#settleClosed(error);
  }
}

// @throws ExposeError `upstream-invalid`
async function checkUpstream(options: TunnelOptions): Promise<void> {
  const spec = resolveUpstreamSpec(options);
  await validateUpstream(spec, { ca: options.upstreamCa });
  refuseOwnInspector(spec);
}

const supersededByEcho = (): ExposeError =>
  new ExposeError(
    "connection-lost",
    "An earlier connection of this client, which it had given up, reached the edge after this one.",
  );

const aborted = (): ExposeError =>
  new ExposeError("aborted", "The session was ended while it connected.");

// The edge frees names when it has read that they are given back; an answer says that it has.
async function sayGoodbye(link: ControlLink): Promise<void> {
  const patience = new AbortController();
  await Promise.race([
    link.ping().catch(() => {}),
    sleep(GOODBYE_MS, undefined, { signal: patience.signal }).catch(() => {}),
  ]);
  patience.abort();
  await link.close();
}
