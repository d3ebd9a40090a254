// One SSH connection from the login to the end. It owns all that was opened on it: ending it ends them.
import type { Duplex } from "node:stream";
import {
  createWindowBudget,
  encodeMessage,
  type EdgeMessage,
  type FairLink,
  type WindowBudget,
} from "@expose/protocol";
import type { Connection, TcpipBindInfo } from "ssh2";
import type { Identity } from "../../registry/identity.ts";
import type { Forward } from "../forward.ts";
import type { PlainSession, PlainTunnel } from "../handlers.ts";
import type { IngressSession } from "../ingress.ts";
import { createChannelOpener, type ChannelOpener } from "./channel-opener.ts";
import { createForwards, type Forwards } from "./forwards.ts";
import { createLink } from "./link.ts";
import { guardLogin, type ProvenKey } from "./login.ts";
import type { EmbeddedIngressOptions, EmbeddedLimits } from "./options.ts";
import {
  disconnectReasons,
  openDoor,
  type Door,
  type PrivateChannel,
} from "./ssh2-door.ts";
import { serveSessions, type Sessions } from "./sessions.ts";
import { createTerminal, type Terminal } from "./terminal.ts";
import { createUpkeep, type Upkeep } from "./upkeep.ts";

/** What a connection needs of the ingress. */
export interface ConnectionHost extends Pick<
  EmbeddedIngressOptions,
  "findIdentity" | "handlers" | "formatTarget" | "log"
> {
  readonly limits: EmbeddedLimits;
  /** What the receive windows of all connections together may grow by. */
  readonly windows: WindowBudget;
  /** Takes note of a login. @returns why the connection may hold no tunnel, for its owner to read */
  readonly loggedIn: (connection: EmbeddedConnection) => string | undefined;
}

/** How a connection ends. */
export interface Farewell {
  /** For the person or the program at the other end. */
  readonly message?: string;
  /** What ssh's own exit status becomes when it has a session. Default: 1. */
  readonly exitStatus?: number;
  /** A reason of RFC 4253 section 11.1. Default: by application. */
  readonly reason?: number;
  /** Whether its owner wanted it, so that the names are free at once. Default: false. */
  readonly released?: boolean;
}

const USAGE = "Nothing to serve. Ask for a tunnel: ssh -R 80:localhost:8080 …";

// Whoever logs in could fill the operator's disk with lines, and a client means well that stops some time.
const MAX_LOGGED_REFUSALS = 10;
const MAX_REFUSALS = 1_000;
// Global requests that wait for the answer to one before them: a few forwards, and signs of life. They wait in memory.
const MAX_HELD_BACK = 1_000;

/** A connection of the embedded SSH server, from the moment that the peer has said which software it is. */
export class EmbeddedConnection {
  readonly remoteAddress: string | undefined;
  readonly #host: ConnectionHost;
  readonly #connection: Connection;
  readonly #door: Door;
  readonly #link: FairLink;
  readonly #terminal: Terminal;
  readonly #forwards: Forwards;
  readonly #opener: ChannelOpener;
  readonly #sessions: Sessions;
  readonly #onEnded: (() => void)[] = [];
  #key: ProvenKey | undefined;
  #upkeep: Upkeep | undefined;
  #notAllowed: string | undefined;
  #lastRefusal: string | undefined;
  #refusals = 0;
  #control: Duplex | undefined;
  /** Resolves when the last global request that has to wait was answered. */
  #answering: Promise<void> | undefined;
  #heldBack = 0;
  #plainSession: PlainSession | undefined;
  #ended = false;
  #settleTimer: NodeJS.Timeout | undefined;
  #lingerTimer: NodeJS.Timeout | undefined;

  /** @throws TypeError when ssh2 does not look as expected */
  constructor(connection: Connection, host: ConnectionHost) {
    this.#host = host;
    this.#connection = connection;
    this.#door = openDoor(connection, host.limits.maxQueuedBytes, (what) => {
      host.log.info("ssh protocol broken", { ...this.#who(), what });
      // Nothing of what else it sent is looked at.
      this.#door.socket.removeAllListeners("data").resume();
      this.end({ message: what, reason: disconnectReasons.protocolError });
    });
    const { socket } = this.#door;
    this.remoteAddress = socket.remoteAddress;
    this.#link = createLink(socket, this.#door.isRekeying);
    this.#opener = createChannelOpener(
      connection,
      this.#door,
      this.#link,
      host.limits,
    );
    this.#terminal = createTerminal(this.#link, host.formatTarget);
    this.#forwards = createForwards({
      maxForwards: host.limits.maxForwards,
      connect: this.#opener.open,
      openPlain: (forward, name) =>
        host.handlers.openPlain(this.#asPlainSession(), forward, name),
      opened: (tunnel) => {
        if (this.#terminal.attached) this.#showTunnel(tunnel);
      },
      refused: (reason) => this.#refused(reason),
      failed: (error) =>
        host.log.error("opening a tunnel failed", { ...this.#who(), error }),
    });
    this.#sessions = serveSessions(connection, this.#door, {
      maxSessions: host.limits.maxSessions,
      isOpen: () => !this.#ended,
      mayControl: () => this.#control === undefined,
      control: (stream) => this.#serveControl(stream),
      screen: (...args) => this.#showScreen(...args),
      interrupted: () => this.#interrupted(),
    });
    this.#listen();
  }

  /** Undefined before the login. */
  get identity(): Identity | undefined {
    return this.#key?.identity;
  }

  /** Channels that exist on this connection, those still opening included. */
  get channelCount(): number {
    return this.#door.countChannels() + this.#opener.opening;
  }

  /** Calls back once when the connection has ended, at once when it already has. @returns a function that forgets it */
  onceEnded(callback: () => void): () => void {
    if (this.#ended) callback();
    else this.#onEnded.push(callback);
    return () => {
      const at = this.#onEnded.indexOf(callback);
      if (at >= 0) this.#onEnded.splice(at, 1);
    };
  }

  /**
   * Ends the connection and all that it opened, now. Idempotent. The socket stays for a moment, so that the last words
   * can be read; see `lingerMs`.
   */
  end(farewell: Farewell = {}): void {
    if (this.#ended) return;
    const { message, exitStatus = 1, released = false } = farewell;
    const { socket } = this.#door;
    const hasTerminal = this.#terminal.attached;
    if (message !== undefined && hasTerminal) this.#terminal.complain(message);
    this.#terminal.finish(exitStatus);
    this.#markEnded(released);
    this.#control?.end();

    const hangUp = (): void => {
      const { reason = disconnectReasons.byApplication } = farewell;
      this.#door.disconnect(reason, message ?? "");
      socket.end();
    };
    this.#lingerTimer = setTimeout(() => {
      if (hasTerminal) hangUp();
      socket.destroy();
    }, this.#host.limits.lingerMs);
    this.#lingerTimer.unref();
    // ssh whose session is over hangs up by itself, and only then with the exit status that we gave.
    if (!hasTerminal) hangUp();
  }

  /** Ends the connection when its key is nobody's any more or somebody else's. */
  recheck(): void {
    if (this.#key === undefined || this.#ended) return;
    const { blob, algorithm, identity } = this.#key;
    const found = this.#host.findIdentity(blob, algorithm);
    if (found?.id === identity.id) {
      // What it may do can have changed.
      this.#key = { blob, algorithm, identity: found };
    } else this.revoke();
  }

  /** Ends the connection because its key was removed, and says so. */
  revoke(): void {
    if (this.#ended) return;
    const message =
      "The key of this session was removed at the edge. Ask whoever runs it to add it again.";
    this.#host.log.info("session revoked", this.#who());
    this.#tellControl({ t: "closed", code: "revoked", message, retry: false });
    this.end({ message, released: true });
  }

  /** Looks after the connection; to be called at intervals. @param now monotonic, milliseconds */
  check(now: number): void {
    if (this.#ended || this.#upkeep === undefined) return;
    const { socket } = this.#door;
    const rekeying = this.#door.isRekeying();
    const step = this.#upkeep.check({
      now,
      bytesRead: socket.bytesRead,
      bytesSent: (socket.bytesWritten ?? 0) - socket.writableLength,
      bytesQueued: socket.writableLength,
      rekeying,
      used: this.#forwards.count() > 0 || this.#sessions.size > 0,
    });
    if (step.do === "ping") this.#door.ping();
    else if (step.do === "rekey") this.#door.rekey();
    else if (step.do === "end") {
      this.#host.log.info("session given up", {
        ...this.#who(),
        why: step.why,
      });
      this.end({ message: step.why });
    }
  }

  #listen(): void {
    const connection = this.#connection;
    const { limits, log } = this.#host;

    connection.on("error", (error) => {
      log.debug("ssh connection failed", { ...this.#who(), error });
      this.end();
    });
    connection.on("close", () => {
      this.#markEnded(false);
      clearTimeout(this.#lingerTimer);
      this.#door.loseChannels();
      this.#link.close();
    });
    connection.on("end", () => this.end());
    connection.on("rekey", () => {
      // Each costs us as much as a login.
      if (!connection.authenticated) this.end();
      this.#link.wake();
    });

    guardLogin(connection, {
      findIdentity: this.#host.findIdentity,
      maxAuthTries: limits.maxAuthTries,
      accepted: (key) => (this.#key = key),
      exhausted: (username) => {
        log.info("login refused", { from: this.remoteAddress, username });
        this.end({
          message: "Too many authentication failures",
          reason: disconnectReasons.noMoreAuthMethods,
        });
      },
    });
    connection.on("ready", () => this.#begin());
    connection.on("request", (accept, reject, name: string, info) => {
      const answer = () => (this.#ended ? undefined : this.#answer(name, info));
      const reply = (port: number | undefined): void => {
        if (port === undefined) reject?.();
        else accept?.(port);
      };
      if (this.#heldBack >= MAX_HELD_BACK) return this.#askedTooMuch();
      if (this.#answering)
        return this.#holdBack(
          this.#answering.then(async () => reply(await answer())),
        );
      const port = answer();
      if (port instanceof Promise) this.#holdBack(port.then(reply));
      else reply(port);
    });
  }

  #begin(): void {
    if (this.#ended) return;
    const { limits, log, windows } = this.#host;
    this.#upkeep = createUpkeep(limits, performance.now());
    this.#door.steer(
      this.#link,
      createWindowBudget(limits.maxWindowBytes, windows),
    );
    this.#notAllowed = this.#host.loggedIn(this);
    log.debug("ssh login", this.#who());
    this.#settleTimer = setTimeout(() => this.#settle(), limits.settleMs);
    this.#settleTimer.unref();
  }

  // A person who gets no tunnel would look at an empty screen.
  #settle(): void {
    this.#settleTimer = undefined;
    if (this.#control || this.#forwards.tunnels().length > 0) return;
    if (this.#terminal.attached) {
      // A refusal is on the screen already.
      this.end(this.#lastRefusal === undefined ? { message: USAGE } : {});
    } else if (this.#lastRefusal !== undefined && this.#sessions.size === 0) {
      // ssh -N: it shows what we say with the disconnect.
      this.end({ message: this.#lastRefusal });
    }
  }

  // Answers to global requests come in the order of the requests (RFC 4254 section 4), and one has to wait.
  #holdBack(turn: Promise<void>): void {
    this.#heldBack++;
    const answered = turn
      .catch((error: unknown) =>
        this.#host.log.error("bug", { ...this.#who(), error }),
      )
      .finally(() => {
        this.#heldBack--;
        if (this.#answering === answered) this.#answering = undefined;
      });
    this.#answering = answered;
  }

  #askedTooMuch(): void {
    if (this.#ended) return;
    const message = "Too many requests at a time.";
    this.#host.log.info("session given up", { ...this.#who(), why: message });
    this.end({ message });
  }

  /** @returns a port to answer with, or undefined for a refusal */
  #answer(
    name: string,
    info: TcpipBindInfo,
  ): number | undefined | Promise<number | undefined> {
    if (name === "cancel-tcpip-forward")
      return this.#forwards.cancel(info.bindAddr, info.bindPort)
        ? info.bindPort
        : undefined;
    // A socket path instead of an address is none of our business.
    if (name !== "tcpip-forward") return undefined;
    if (this.#notAllowed === undefined)
      return this.#forwards.open(info.bindAddr, info.bindPort);
    this.#refused(this.#notAllowed);
    return undefined;
  }

  #refused(reason: string): void {
    this.#lastRefusal = reason;
    this.#terminal.complain(reason);
    this.#refusals++;
    if (this.#refusals <= MAX_LOGGED_REFUSALS)
      this.#host.log.info("forward refused", { ...this.#who(), reason });
    if (this.#refusals === MAX_REFUSALS)
      this.end({ message: "Too many refused requests." });
  }

  #showScreen(channel: PrivateChannel, stream: Duplex, pty: boolean): void {
    this.#terminal.attach(channel, stream, pty, () => this.#interrupted());
    for (const tunnel of this.#forwards.tunnels()) this.#showTunnel(tunnel);
  }

  #showTunnel(tunnel: PlainTunnel): void {
    tunnel.observe((record) => this.#terminal.request(record));
    this.#terminal.say(tunnel.url);
  }

  #interrupted(): void {
    this.end({ exitStatus: 0, released: true });
  }

  #serveControl(control: Duplex): void {
    this.#control = control;
    control.once("close", () => this.end());
    if (this.#notAllowed !== undefined) {
      this.#tellControl({
        t: "refused",
        code: "too-many-tunnels",
        message: this.#notAllowed,
      });
      return this.end({ message: this.#notAllowed });
    }
    try {
      this.#host.handlers.serve(
        new ControlSession(this, control, this.#forwards),
      );
    } catch (error) {
      this.#host.log.error("serving a session failed", {
        ...this.#who(),
        error,
      });
      this.end();
    }
  }

  #asPlainSession(): PlainSession {
    return (this.#plainSession ??= new SessionWithoutControl(this));
  }

  #markEnded(released: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#key) this.#host.log.debug("ssh session ended", this.#who());
    clearTimeout(this.#settleTimer);
    this.#settleTimer = undefined;
    if (released) this.#forwards.release();
    else this.#forwards.lose();
    for (const channel of this.#door.channels())
      if (channel.type !== "session") channel.destroy();
    this.#link.wake();
    const callbacks = this.#onEnded.splice(0);
    for (const callback of callbacks) callback();
  }

  #tellControl(message: EdgeMessage): void {
    if (this.#control?.writable) this.#control.write(encodeMessage(message));
  }

  #who(): { identity: string | undefined; from: string | undefined } {
    return { identity: this.#key?.identity.id, from: this.remoteAddress };
  }
}

// Classes, because an object that is made with a getter of its own takes half a kilobyte.
class SessionWithoutControl implements PlainSession {
  readonly #connection: EmbeddedConnection;

  constructor(connection: EmbeddedConnection) {
    this.#connection = connection;
  }

  get identity(): Identity {
    return identityNow(this.#connection);
  }

  get remoteAddress(): string | undefined {
    return this.#connection.remoteAddress;
  }

  end(message: string): void {
    this.#connection.end({ message });
  }

  onceEnded(callback: () => void): () => void {
    return this.#connection.onceEnded(callback);
  }
}

class ControlSession implements IngressSession {
  readonly control: Duplex;
  readonly #connection: EmbeddedConnection;
  readonly #forwards: Forwards;

  constructor(
    connection: EmbeddedConnection,
    control: Duplex,
    forwards: Forwards,
  ) {
    this.#connection = connection;
    this.control = control;
    this.#forwards = forwards;
  }

  get ingress(): "embedded" {
    return "embedded";
  }

  get identity(): Identity {
    return identityNow(this.#connection);
  }

  get remoteAddress(): string | undefined {
    return this.#connection.remoteAddress;
  }

  get proof(): undefined {
    return undefined;
  }

  forward(port: number): Forward | undefined {
    return this.#forwards.control(port);
  }

  end(): void {
    this.#connection.end();
  }

  onceEnded(callback: () => void): void {
    this.#connection.onceEnded(callback);
  }
}

function identityNow({ identity }: EmbeddedConnection): Identity {
  if (identity === undefined)
    throw new TypeError("A session before the login.");
  return identity;
}
