// Forwards from here to what the server can reach, as `ssh -L`: any number of connections, over one SSH connection that
// comes back by itself.
import { EventEmitter, once } from "node:events";
import {
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { join } from "@expose/protocol";
import { ExposeError } from "./errors.ts";
import { keepConnection, type KeptConnection } from "./kept-connection.ts";
import type { SessionOptions } from "./options.ts";
import { createConnector, type Connector } from "./ssh/connector.ts";
import type { SshConnection } from "./ssh/ssh-connection.ts";
import type { SessionState, Tunnel, TunnelEvents } from "./tunnel.ts";

/** Where to listen, and where the server is to connect to. */
export interface LocalForwardSpec {
  /** Address to listen on; `*` for every one. Undefined: localhost, over IPv6 and IPv4. */
  bind: string | undefined;
  /** 0 lets the system choose. */
  port: number;
  host: string;
  hostPort: number;
}

/** Open local forwards. Each looks like a tunnel whose URL is the local address. */
export interface LocalForwards {
  /** `user@host:port`, as resolved. */
  readonly server: string;
  readonly forwards: readonly Tunnel[];
  readonly state: SessionState;
  readonly latencyMs: number | undefined;
  /** Stops listening, cuts every connection, ends the SSH connection. Idempotent; never throws. */
  close(): Promise<void>;
}

/**
 * Listens on local ports and leads each connection through the server. Connections that arrive while the SSH
 * connection is down are closed at once.
 *
 * @throws ExposeError, see docs/errors.md; `listen-failed` when a local port cannot be had
 */
export async function openLocal(
  options: SessionOptions & {
    server: string;
    forwards: readonly LocalForwardSpec[];
  },
): Promise<LocalForwards> {
  const connector = await createConnector(options);
  const forwards = new LocalForwardSet(connector);
  try {
    // Ports first: what is wrong on this machine is known without asking a server.
    for (const spec of options.forwards) await forwards.listen(spec);
    await forwards.connect(options.signal);
    return forwards;
  } catch (error) {
    await forwards.finish(undefined);
    throw error;
  }
}

class LocalForwardSet implements LocalForwards {
  readonly forwards: LocalForward[] = [];
  readonly #connector: Connector;
  #kept: KeptConnection<SshConnection> | undefined;

  constructor(connector: Connector) {
    this.#connector = connector;
  }

  get server(): string {
    const { user, label } = this.#connector.target;
    return `${user}@${label}`;
  }
  get state(): SessionState {
    return this.#kept?.state ?? "connecting";
  }
  get latencyMs(): number | undefined {
    return this.#kept?.current?.latencyMs;
  }

  async listen(spec: LocalForwardSpec): Promise<void> {
    const forward = new LocalForward(spec, this, () => this.#kept?.current);
    this.forwards.push(forward);
    await forward.listen();
  }

  async connect(signal: AbortSignal | undefined): Promise<void> {
    const each = (tell: (forward: LocalForward) => void): void =>
      this.forwards.forEach(tell);
    this.#kept = await keepConnection({
      connect: (abort, timeouts) => this.#connector.connect(abort, timeouts),
      onReconnecting: (info) =>
        each((forward) => forward.emit("reconnecting", info)),
      onReconnected: ({ downMs }) =>
        each((forward) =>
          forward.emit("reconnected", { url: forward.url, downMs }),
        ),
      onClosed: (error) => void this.finish(error),
      signal,
    });
  }

  async close(): Promise<void> {
    await this.#kept?.close();
  }

  async finish(error: ExposeError | undefined): Promise<void> {
    await Promise.all(this.forwards.map((forward) => forward.finish(error)));
  }
}

class LocalForward extends EventEmitter<TunnelEvents> implements Tunnel {
  readonly closed: Promise<void>;
  /** Nobody looks on at a local forward. */
  readonly inspectorUrl = undefined;
  readonly #spec: LocalForwardSpec;
  readonly #set: LocalForwardSet;
  readonly #current: () => SshConnection | undefined;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #port: number;
  #settleClosed!: (error: ExposeError | undefined) => void;

  constructor(
    spec: LocalForwardSpec,
    set: LocalForwardSet,
    current: () => SshConnection | undefined,
  ) {
    super();
    this.#spec = spec;
    this.#set = set;
    this.#current = current;
    this.#port = spec.port;
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (error) => (error ? reject(error) : resolve());
    });
    this.closed.catch(() => {});
  }

  /** The local address, `localhost:7777`. */
  get url(): string {
    return hostPort(this.#spec.bind ?? "localhost", this.#port);
  }
  get name(): string {
    return String(this.#port);
  }
  get upstream(): string {
    return hostPort(this.#spec.host, this.#spec.hostPort);
  }
  get state(): SessionState {
    return this.#set.state;
  }
  get openConnections(): number {
    return this.#sockets.size;
  }
  get latencyMs(): number | undefined {
    return this.#set.latencyMs;
  }

  async listen(): Promise<void> {
    const { bind } = this.#spec;
    // localhost is two addresses, and a machine may lack one of them.
    const hosts =
      bind === undefined || bind === "localhost"
        ? ["127.0.0.1", "::1"]
        : [bind];
    for (const host of hosts) {
      try {
        await this.#listenOn(host === "*" ? undefined : host);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (
          host === "::1" &&
          (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")
        )
          continue;
        throw listenFailed(hostPort(host, this.#port), code, error);
      }
    }
  }

  async close(): Promise<void> {
    await this.#set.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async finish(error: ExposeError | undefined): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.emit("closed", { error });
    this.#settleClosed(error);
  }

  async #listenOn(host: string | undefined): Promise<void> {
    const server = createServer(
      { allowHalfOpen: true, noDelay: true },
      (socket) => this.#accept(socket),
    );
    server.listen({ port: this.#port, ...(host !== undefined && { host }) });
    await once(server, "listening");
    // An error of a listening server is about one connection (no descriptors left): that one is lost, others come.
    server.on("error", () => {});
    this.#port = (server.address() as AddressInfo).port;
    this.#servers.push(server);
  }

  #accept(socket: Socket): void {
    socket.on("error", () => {});
    const connection = this.#current();
    if (!connection) return void socket.destroy();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    connection.openDirect(this.#spec.host, this.#spec.hostPort).then(
      (channel) => {
        if (socket.destroyed) return void channel.destroy();
        join(socket, channel, connection.link, () => {});
      },
      (error: ExposeError) => {
        // As ssh does: the connection ends, and the person reads why.
        socket.destroy();
        this.emit("upstream", { state: "down", reason: error.message });
      },
    );
  }
}

function listenFailed(
  where: string,
  code: string | undefined,
  cause: unknown,
): ExposeError {
  const why =
    code === "EADDRINUSE"
      ? "another program listens there. Choose another port, or 0 for a free one."
      : code === "EACCES"
        ? "ports below 1024 are for root. Choose a higher one."
        : `the system says ${code}.`;
  return new ExposeError("listen-failed", `Cannot listen on ${where}: ${why}`, {
    cause,
  });
}

const hostPort = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
