// One SSH connection after its login: commands, forwards both ways, its liveness, its end.
import type { Duplex } from "node:stream";
import type {
  AcceptConnection,
  Client,
  ClientChannel,
  RejectConnection,
  TcpConnectionDetails,
} from "ssh2";
import type { Flow, LinkPressure } from "@expose/protocol";
import { ExposeError } from "../errors.ts";
import type { ConnectionFacts } from "./connection-facts.ts";
import {
  forgetHandshake,
  guardChannels,
  pingServer,
  steer,
  tunePackets,
} from "./inside-ssh2.ts";
import { watchLiveness, type LivenessTimes } from "./liveness.ts";
import { printable } from "./log.ts";
import { asRemoteCommand, type RemoteCommand } from "./remote-command.ts";
import { execAhead } from "./skip-waits.ts";
import { tameChannel } from "./tame-channel.ts";
import type { SshTarget } from "./target.ts";
import type { Transport } from "./transport.ts";

export type { CommandExit, RemoteCommand } from "./remote-command.ts";

/** Who a forwarded connection came from and on which forward it arrived, as the server says. */
export interface ForwardedFrom {
  readonly address: string;
  readonly port: number;
  readonly forwardHost: string;
  readonly forwardPort: number;
}

/** Takes a connection that arrived on a forward. The channel has not been read yet. */
export type ConnectionHandler = (channel: Duplex, from: ForwardedFrom) => void;

// Long enough for a server in the same country to say goodbye, short enough for a person at Ctrl-C.
const CLOSE_TIMEOUT_MS = 500;

/** See the file's head. Channels that it hands out behave like sockets (see tameChannel) and end with it. */
export class SshConnection {
  readonly facts: ConnectionFacts;
  /** Pressure of this connection's own link, for whoever writes to its channels. */
  readonly link: LinkPressure;
  /** Resolves when it has ended: with the reason, or with undefined after close(). Never rejects. */
  readonly closed: Promise<ExposeError | undefined>;
  readonly #client: Client;
  readonly #flow: Flow;
  /** What it runs over; for connections through it. */
  readonly transport: Transport;
  /** The jump host's connection, which is there for this one alone. */
  readonly #below: SshConnection | undefined;
  readonly #handlers = new Map<number, ConnectionHandler>();
  readonly #stopWatch: () => void;
  #reason: ExposeError | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #latencyMs: number | undefined;
  #onClosed: ((error: ExposeError | undefined) => void)[] = [];

  constructor(
    client: Client,
    transport: Transport,
    facts: ConnectionFacts,
    times: LivenessTimes,
    below: SshConnection | undefined,
  ) {
    this.#client = client;
    this.transport = transport;
    this.#below = below;
    this.facts = facts;
    this.link = transport.link;
    this.closed = new Promise((resolve) => this.onceClosed(resolve));
    this.#stopWatch = watchLiveness(
      transport.vitals,
      times,
      () => this.#ping(),
      (silentMs) =>
        this.destroy(
          this.#lost(
            `nothing has arrived for ${Math.round(silentMs / 1_000)} s`,
          ),
        ),
    );
    tunePackets(client);
    forgetHandshake(client);
    client.on("handshake", () => forgetHandshake(client));
    guardChannels(client);
    this.#flow = steer(client, transport.link);
    client.on("error", (error) =>
      this.destroy(this.#lost(printable(error.message), error)),
    );
    client.on("close", () => this.#ended());
    client.on("tcp connection", (details, accept, reject) =>
      this.#arrived(details, accept, reject),
    );
    if (transport.stream.destroyed) this.#ended();
  }

  get target(): SshTarget {
    return this.facts.target;
  }

  /** Bytes that arrived from the server, the encryption's own included. */
  get bytesReceived(): number {
    return this.transport.vitals.bytesReceived();
  }

  /** Round trip in milliseconds as last measured; only quiet connections are asked. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  /**
   * Starts a command on a session channel of its own.
   *
   * @throws ExposeError `exec-failed` when the server refuses, `connection-lost`
   */
  exec(command: string): Promise<RemoteCommand> {
    return this.#call("exec-failed", `to run a command`, (done) =>
      this.#client.exec(command, (error, channel) => {
        if (error) return done(error);
        done(undefined, asRemoteCommand(this.#client, channel));
      }),
    );
  }

  /**
   * As exec(), without waiting for the server's consent: resolves when the command was asked for. What is written until
   * it runs is there when it starts.
   *
   * @returns a command that is destroyed with `exec-failed` when the server refuses it in the end
   * @throws ExposeError `exec-failed` when the server opens no session, `connection-lost`
   */
  execAhead(command: string): Promise<RemoteCommand> {
    return this.#call("exec-failed", `to run a command`, (done) => {
      let asked: RemoteCommand | undefined;
      execAhead(
        this.#client,
        command,
        (channel) => {
          asked = asRemoteCommand(this.#client, channel);
          done(undefined, asked);
        },
        (error) => {
          if (!error) return;
          if (asked)
            asked.destroy(
              this.#refused("exec-failed", `to run a command`, error),
            );
          else done(error);
        },
      );
    });
  }

  /**
   * Asks the server to listen and to forward what connects (RFC 4254 section 7.1). Connections that nobody has asked
   * for by onConnection() within a turn of the event loop are refused.
   *
   * @param host as a literal: `127.0.0.1` and `localhost` are two things for a server
   * @param port 0 lets the server choose
   * @returns the port that the server listens on
   * @throws ExposeError `forward-refused`, `connection-lost`
   */
  async forwardIn(host: string, port: number): Promise<number> {
    const chosen = await this.#call<number>(
      "forward-refused",
      `to listen on ${host || "*"}:${port}`,
      (done) => this.#client.forwardIn(host, port, done),
    );
    // Some old servers do not say which port they chose.
    if (chosen > 0) return chosen;
    throw new ExposeError(
      "forward-refused",
      `${this.target.label} did not say which port it listens on. Ask for a port of your choice.`,
    );
  }

  /**
   * Ends a forward. Connections that came by it stay.
   *
   * @param host the same literal as for forwardIn()
   * @param port the port that forwardIn() gave
   * @throws ExposeError `forward-refused` when there is no such forward, `connection-lost`
   */
  async unforwardIn(host: string, port: number): Promise<void> {
    this.#handlers.delete(port);
    await this.#call<void>(
      "forward-refused",
      `to stop listening on ${host || "*"}:${port}`,
      (done) =>
        this.#client.unforwardIn(host, port, (error?: Error | null) =>
          done(error ?? undefined),
        ),
    );
  }

  /** Sets who gets the connections of a forward from now on; undefined refuses them. */
  onConnection(port: number, handler: ConnectionHandler | undefined): void {
    if (handler) this.#handlers.set(port, handler);
    else this.#handlers.delete(port);
  }

  /**
   * Connects to `host:port` from the server (RFC 4254 section 7.2), as ssh -L and ProxyJump do.
   *
   * @throws ExposeError `forward-refused` (final when the server forbids it, not when nothing listens there),
   * `connection-lost`
   */
  openDirect(host: string, port: number): Promise<Duplex> {
    return this.#call(
      "forward-refused",
      `to connect to ${host}:${port}`,
      (done) =>
        this.#client.forwardOut(
          "127.0.0.1",
          0,
          host,
          port,
          (error, channel) => {
            if (error) return done(error);
            tameChannel(channel, "connection");
            this.#flow.adopt(channel);
            done(undefined, channel);
          },
        ),
    );
  }

  /** Calls back once when the connection has ended (at once when it already has); with nothing after close(). */
  onceClosed(callback: (error: ExposeError | undefined) => void): void {
    if (this.#isClosed) callback(this.#reason);
    else this.#onClosed.push(callback);
  }

  /** Says goodbye and ends; what was written before goes out first, for half a second at most. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#sayGoodbye();
    return this.#closing;
  }

  /** Ends at once. @param error what onceClosed() is told; the first one counts */
  destroy(error: ExposeError): void {
    if (this.#isClosed) return;
    if (!this.#closing) this.#reason ??= error;
    this.#stopWatch();
    this.transport.stream.destroy();
  }

  async #sayGoodbye(): Promise<void> {
    if (!this.#isClosed) {
      this.#stopWatch();
      this.#client.end();
      const timer = setTimeout(
        () => this.transport.stream.destroy(),
        CLOSE_TIMEOUT_MS,
      );
      await this.closed;
      clearTimeout(timer);
    }
    await this.#below?.close();
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWatch();
    this.#handlers.clear();
    if (!this.#closing) {
      // A jump host that was lost tells more than that the connection through it has ended.
      const below = this.#below === undefined ? undefined : this.#below.#reason;
      this.#reason ??= below ?? this.#lost("the server ended it");
      this.#below?.destroy(this.#reason);
    }
    const callbacks = this.#onClosed;
    this.#onClosed = [];
    for (const callback of callbacks) callback(this.#reason);
  }

  #arrived(
    details: TcpConnectionDetails,
    accept: AcceptConnection<ClientChannel>,
    reject: RejectConnection,
  ): void {
    const deliver = (handler: ConnectionHandler): void => {
      const channel = accept();
      tameChannel(channel, "connection");
      this.#flow.adopt(channel);
      try {
        handler(channel, {
          address: printable(details.srcIP),
          port: details.srcPort,
          forwardHost: details.destIP,
          forwardPort: details.destPort,
        });
      } catch (error) {
        // A bug of the handler's. Thrown from here it would look to ssh2 like a fault of the server's.
        channel.destroy();
        process.nextTick(() => {
          throw error;
        });
      }
    };
    const handler = this.#handlers.get(details.destPort);
    if (handler) return deliver(handler);
    // It may have come in the same packet as the answer to forwardIn(), whose caller has not had the time to go on.
    setImmediate(() => {
      if (this.#isClosed) return;
      const late = this.#handlers.get(details.destPort);
      if (late) deliver(late);
      // Left unanswered it would hang at the visitor's for ever.
      else reject();
    });
  }

  #ping(): void {
    const sentAt = performance.now();
    pingServer(this.#client, () => {
      this.#latencyMs = performance.now() - sentAt;
    });
  }

  /** Calls ssh2 with a callback, which is called however the connection ends. */
  #call<T>(
    code: "exec-failed" | "forward-refused",
    what: string,
    call: (done: (error: Error | undefined, result?: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      try {
        call((error, result) => {
          if (error) reject(this.#refused(code, what, error));
          else resolve(result as T);
        });
      } catch (error) {
        // ssh2 throws "Not connected".
        reject(this.#refused(code, what, error as Error));
      }
    });
  }

  #refused(
    code: "exec-failed" | "forward-refused",
    what: string,
    cause: Error & { reason?: unknown },
  ): ExposeError {
    if (this.#isClosed || this.transport.stream.destroyed)
      return this.#reason ?? this.#lost("it was closed", cause);
    // RFC 4254 section 5.1: CONNECT_FAILED. The server would have done it; whoever it asked did not answer.
    const isAway = cause.reason === 2;
    return new ExposeError(
      code,
      `${this.target.label} refused ${what} (${printable(cause.message)}). ${ADVICE[code]}`,
      { cause, final: !isAway },
    );
  }

  #lost(reason: string, cause?: Error): ExposeError {
    return new ExposeError(
      "connection-lost",
      `The connection to ${this.target.label} was lost: ${reason}. Check the network, then connect again.`,
      { cause },
    );
  }
}

const ADVICE = {
  "exec-failed": "Check that the account may run commands.",
  "forward-refused":
    "Check that the port is free and that the server allows it (AllowTcpForwarding, PermitListen, PermitOpen).",
} as const;
