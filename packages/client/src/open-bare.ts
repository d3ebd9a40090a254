// A tunnel without an edge: a plain remote forward on any sshd, as `ssh -R 23000:localhost:8080`, that comes back by
// itself and says whether visitors can reach it.
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { formatUpstreamSpec } from "@expose/protocol";
import {
  explainReach,
  LISTENERS_COMMAND,
  readBinding,
  startKnock,
  type BareReach,
  type KnockInProgress,
} from "./bare-reach.ts";
import { ExposeError } from "./errors.ts";
import { keepConnection, type KeptConnection } from "./kept-connection.ts";
import { createUpstream, type Upstream } from "./local/upstream.ts";
import { validateUpstream } from "./local/validate-upstream.ts";
import type { SessionOptions, TunnelOptions } from "./options.ts";
import { leadsToOwnInspector, refuseOwnInspector } from "./own-inspector.ts";
import { resolveUpstreamSpec } from "./resolve-upstream.ts";
import { createConnector, type Connector } from "./ssh/connector.ts";
import { answersAsEdge, isEdgeVersion } from "./ssh/find-edge.ts";
import type { SshConnection } from "./ssh/ssh-connection.ts";
import type { SessionState, Tunnel, TunnelEvents } from "./tunnel.ts";

/** Where a bare tunnel comes out. */
export interface BareOptions
  extends
    SessionOptions,
    Pick<TunnelOptions, "port" | "upstream" | "upstreamCa"> {
  server: string;
  /** Port of the server; 0 lets the server choose, and it stays the same over reconnects. */
  remotePort: number;
}

/** An open bare tunnel. Its URL ends with a slash: there is nothing but a host and a port. */
export interface BareTunnel extends Tunnel {
  /** `user@host:port`, as resolved. */
  readonly server: string;
  readonly remotePort: number;
  /** What was found out about who can reach it. */
  readonly reach: BareReach;
  /** Why visitors cannot reach it and what to do; undefined when they can. */
  readonly warning: string | undefined;
}

// RFC 4254 section 7.1: the empty address asks for every protocol family on every address. sshd gives loopback alone
// where GatewayPorts is "no", and does not say so.
const EVERYWHERE = "";

/**
 * Opens a remote forward. The local service is dialled when a visitor connects: in many protocols the server speaks
 * first.
 *
 * @throws ExposeError, see docs/errors.md; `forward-refused` when the server does not listen on the port,
 * `server-is-edge`
 */
export async function openBare(options: BareOptions): Promise<BareTunnel> {
  const spec = resolveUpstreamSpec(options);
  await validateUpstream(spec, { ca: options.upstreamCa });
  refuseOwnInspector(spec);
  const connector = await createConnector(options);
  const upstream = createUpstream(spec, {
    ca: options.upstreamCa,
    eager: true,
    isForbidden: leadsToOwnInspector,
  });
  const tunnel = new ReconnectingBareTunnel(
    formatUpstreamSpec(spec),
    upstream,
    connector,
    options,
  );
  try {
    await tunnel.start();
    return tunnel;
  } catch (error) {
    await upstream.close();
    throw error;
  }
}

class ReconnectingBareTunnel
  extends EventEmitter<TunnelEvents>
  implements BareTunnel
{
  readonly upstream: string;
  readonly server: string;
  readonly closed: Promise<void>;
  /** Nobody looks on at a bare tunnel. */
  readonly inspectorUrl = undefined;
  remotePort: number;
  reach: BareReach = { knock: "silent", binding: "unknown" };
  readonly #local: Upstream;
  readonly #connector: Connector;
  readonly #signal: AbortSignal | undefined;
  #kept: KeptConnection<SshConnection> | undefined;
  #host = "";
  #settleClosed!: (error: ExposeError | undefined) => void;

  constructor(
    upstreamText: string,
    upstream: Upstream,
    connector: Connector,
    options: BareOptions,
  ) {
    super();
    this.upstream = upstreamText;
    this.server = `${connector.target.user}@${connector.target.label}`;
    this.remotePort = options.remotePort;
    this.#local = upstream;
    this.#connector = connector;
    this.#signal = options.signal;
    upstream.onStateChange((state, reason) =>
      this.emit("upstream", { state, reason }),
    );
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (error) => (error ? reject(error) : resolve());
    });
    // Whoever does not look at `closed` hears of the error by the event; it is no unhandled rejection.
    this.closed.catch(() => {});
  }

  get url(): string {
    return `http://${this.#hostPort}/`;
  }
  get name(): string {
    return String(this.remotePort);
  }
  get state(): SessionState {
    return this.#kept?.state ?? "connecting";
  }
  get openConnections(): number {
    return this.#local.openConnections;
  }
  get latencyMs(): number | undefined {
    return this.#kept?.current?.latencyMs;
  }
  get warning(): string | undefined {
    return explainReach(this.reach, this.#host, this.remotePort);
  }
  get #hostPort(): string {
    const host = this.#host.includes(":") ? `[${this.#host}]` : this.#host;
    return `${host}:${this.remotePort}`;
  }

  async start(): Promise<void> {
    this.#kept = await keepConnection({
      connect: (signal, timeouts) => this.#connect(signal, timeouts),
      onReconnecting: (info) => this.emit("reconnecting", info),
      onReconnected: ({ downMs }) =>
        this.emit("reconnected", { url: this.url, downMs }),
      onClosed: (error) => void this.#finish(error),
      signal: this.#signal,
    });
  }

  async close(): Promise<void> {
    await this.#kept?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #connect(
    signal: AbortSignal,
    timeouts: Parameters<Connector["connect"]>[1],
  ): Promise<SshConnection> {
    const connection = await this.#connector.connect(signal, timeouts);
    try {
      await this.#open(connection, signal);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async #open(connection: SshConnection, signal: AbortSignal): Promise<void> {
    const isFirst = this.#kept === undefined;
    this.#host = connection.target.host;
    // It would open a tunnel under a random name, and there would be nothing at the port.
    if (isFirst && isEdgeVersion(connection.facts.serverVersion))
      throw this.#isAnEdge();
    // Accounts that may forward but run nothing are fine: then nothing is known of the binding, and Nagle stays on.
    const listeners = await connection
      .exec(LISTENERS_COMMAND)
      .catch(() => undefined);
    listeners?.stderr.resume();
    listeners?.on("error", () => {});
    const port = await connection
      .forwardIn(EVERYWHERE, this.remotePort)
      .catch(async (error: unknown) => {
        // sshd lets an edge's users forward on loopback alone, and the person hears nothing of an edge.
        throw isFirst && listeners && (await answersAsEdge(listeners))
          ? this.#isAnEdge(error)
          : error;
      });
    this.remotePort = port;
    let knock: KnockInProgress | undefined;
    connection.onConnection(port, (channel, from) => {
      knock?.arrived();
      // Our own knock is no visitor.
      if (knock && from.port === knock.localPort) discard(channel);
      else this.#local.serve(channel, connection.link);
    });
    const bound = listeners
      ? readBinding(listeners, port)
      : ("unknown" as const);
    // What kept visitors out or let them in does not change with a reconnect.
    if (!isFirst) return;
    knock = startKnock(this.#host, port, signal);
    const [met, binding] = await Promise.all([knock.met, bound]);
    knock = undefined;
    this.reach = { knock: met, binding };
  }

  #isAnEdge(cause?: unknown): ExposeError {
    const target = this.upstream.replace(/^localhost:(?=\d+$)/, "");
    return new ExposeError(
      "server-is-edge",
      `${this.server} is an expose edge: it gives names, and --bare asks for a port. Leave --bare${this.remotePort === 0 ? "" : " and --remote-port"} away: expose ${target} --server ${this.#connector.target.server}`,
      { cause },
    );
  }

  async #finish(error: ExposeError | undefined): Promise<void> {
    await this.#local.close();
    this.emit("closed", { error });
    this.#settleClosed(error);
  }
}

function discard(channel: Duplex): void {
  channel.on("error", () => {});
  channel.destroy();
}
