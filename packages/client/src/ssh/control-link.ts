// One SSH connection to an edge while it lasts: the control channel and the tunnels that were opened over it.
import {
  createMessageStream,
  parseEdgeMessage,
  PRODUCT_VERSION,
  PROOF_BYTES,
  PROTOCOL_VERSION,
  type ClientMessage,
  type EdgeMessage,
  type LinkPressure,
} from "@expose/protocol";
import { timingSafeEqual } from "node:crypto";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { ExposeError, type ClientErrorCode } from "../errors.ts";

/** What a control link needs of an SSH connection. */
export interface LinkConnection {
  readonly link: LinkPressure;
  exec(command: string): Promise<Duplex>;
  /** Asks for a remote forward. @returns the port that the server chose when `port` is 0 */
  forwardIn(host: string, port: number): Promise<number>;
  unforwardIn(host: string, port: number): Promise<void>;
  /** Sets who gets the connections of a forward, from now until it is unset with undefined. */
  onConnection(
    port: number,
    handler: ((channel: Duplex) => void) | undefined,
  ): void;
  /** Calls back once, with the error that ended the connection unless close() did. */
  onceClosed(callback: (error: ExposeError | undefined) => void): void;
  close(): Promise<void>;
  destroy(error: ExposeError): void;
}

/** What to open: see the `open` message. */
export interface LinkTunnelRequest {
  id: number;
  name: string | undefined;
  resume: string | undefined;
  hostHeader: string | undefined;
  upstream: string;
  /** Gets each connection of the tunnel once the edge has proved itself; its bytes are the visitor's alone. */
  serve(channel: Duplex, link: LinkPressure): void;
}

/** An answer to a {@link LinkTunnelRequest}. */
export interface LinkTunnel {
  readonly name: string;
  readonly url: string;
  readonly resume: string;
  /** Port of the forward, for close(). */
  readonly port: number;
}

/** Hears what the edge says on its own account. */
export interface LinkEvents {
  request(message: EdgeMessage & { t: "request" }): void;
  /** `id` absent: the whole session. */
  closed(message: EdgeMessage & { t: "closed" }): void;
}

/** See the file's head. */
export interface ControlLink {
  readonly welcome: EdgeMessage & { t: "welcome" };
  /** @throws ExposeError `name-refused`, `tunnel-refused`, `forward-refused` or `connection-lost` */
  open(request: LinkTunnelRequest): Promise<LinkTunnel>;
  closeTunnel(id: number, port: number): void;
  reportUpstream(id: number, state: "up" | "down", reason?: string): void;
  /** Round trip to the edge process, milliseconds. Rejects when the link is lost. */
  ping(): Promise<number>;
  /** Ends the SSH connection once what was sent has left. */
  close(): Promise<void>;
}

// Long enough for a slow login script on the server, short enough for a person who waits.
const WELCOME_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 10_000;
const CONTROL_COMMAND = "expose-control";

/**
 * Opens the control channel on a fresh connection and greets the edge. The session channel comes before the first
 * forward is used: it is also what makes sshd switch Nagle's algorithm off, which otherwise costs 40 ms here and there.
 *
 * @throws ExposeError `server-not-edge`, `version-unsupported`, `revoked` or `connection-lost`
 */
export async function openControlLink(
  connection: LinkConnection,
  events: LinkEvents,
  options: { watchRequests: boolean },
): Promise<ControlLink> {
  const waiting = new Map<string, Waiter>();
  let lostBecause: ExposeError | undefined;
  let pings = 0;
  let welcomed = false;

  function fail(error: ExposeError): void {
    lostBecause ??= error;
    for (const waiter of waiting.values()) waiter.reject(error);
    waiting.clear();
  }
  connection.onceClosed((error) => fail(error ?? lost("it was closed")));

  const channel = await inTime(connection.exec(CONTROL_COMMAND), () =>
    notAnEdge("no edge answered within 10 seconds"),
  ).catch((cause) => {
    if (lostBecause) throw lostBecause;
    throw notAnEdge("it refused the control command", cause);
  });
  channel.on("error", () => {});
  channel.on("close", () => {
    const error = welcomed
      ? lost("the edge closed the control channel")
      : notAnEdge("the control command ended without a greeting");
    fail(error);
    // Without control there are no tunnels; a connection that stays would only hide that.
    connection.destroy(error);
  });
  const stream = createMessageStream<EdgeMessage, ClientMessage>(
    channel,
    parseEdgeMessage,
    receive,
    (error) => {
      const reason = welcomed
        ? lost(error.message)
        : notAnEdge("what it said is not the control protocol");
      fail(reason);
      connection.destroy(reason);
    },
  );
  const answer = wait("welcome", WELCOME_TIMEOUT_MS, () =>
    notAnEdge("no edge answered within 10 seconds"),
  );
  stream.send({
    t: "hello",
    v: PROTOCOL_VERSION,
    client: `expose/${PRODUCT_VERSION}`,
    host: hostname().slice(0, 253),
  });
  const welcome = (await answer) as EdgeMessage & { t: "welcome" };
  if (welcome.v !== PROTOCOL_VERSION)
    throw new ExposeError(
      "version-unsupported",
      `The edge (${welcome.edge}) speaks version ${welcome.v} of the control protocol and this client (${PRODUCT_VERSION}) speaks ${PROTOCOL_VERSION}; install the same release on both ends.`,
    );
  welcomed = true;
  if (options.watchRequests) stream.send({ t: "watch", on: true });
  const proof = welcome.proof && {
    ours: Buffer.from(welcome.proof.client, "latin1"),
    theirs: Buffer.from(welcome.proof.edge, "latin1"),
  };

  function receive(message: EdgeMessage): void {
    switch (message.t) {
      case "welcome":
        return settle("welcome", message);
      case "opened":
        return settle(`open ${message.id}`, message);
      case "refused": {
        const key = message.id === undefined ? undefined : `open ${message.id}`;
        const error = refusal(message);
        if (key === undefined) {
          fail(error);
          // The edge is about to end the connection; this is why, and not that it broke.
          return connection.destroy(error);
        }
        waiting.get(key)?.reject(error);
        waiting.delete(key);
        return;
      }
      case "closed":
        return events.closed(message);
      case "request":
        return events.request(message);
      case "pong":
        return settle(`ping ${message.n}`, message);
    }
  }

  function wait(
    key: string,
    timeoutMs: number,
    onTimeout: () => ExposeError,
  ): Promise<EdgeMessage> {
    if (lostBecause) return Promise.reject(lostBecause);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(key);
        reject(onTimeout());
      }, timeoutMs);
      waiting.set(key, {
        resolve(message) {
          clearTimeout(timer);
          resolve(message);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  // SSH requests have no time limit of their own, and a server that answers nothing but pings looks alive for ever.
  async function inTime<T>(
    answer: Promise<T>,
    onTimeout: () => ExposeError,
  ): Promise<T> {
    const timer = setTimeout(
      () => connection.destroy(onTimeout()),
      ANSWER_TIMEOUT_MS,
    );
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  function settle(key: string, message: EdgeMessage): void {
    const waiter = waiting.get(key);
    waiting.delete(key);
    waiter?.resolve(message);
  }

  function accept(channel: Duplex, serve: LinkTunnelRequest["serve"]): void {
    if (!proof) return serve(channel, connection.link);
    // We prove ourselves at once (the edge sends nothing before), and hear the edge's proof with its first request:
    // whoever else finds the port on the server gets no byte of the local service.
    channel.write(proof.ours);
    expectProof(channel, proof.theirs, () => serve(channel, connection.link));
  }

  const link: ControlLink = {
    welcome,
    async open(request) {
      const port = await inTime(connection.forwardIn("127.0.0.1", 0), () =>
        lost("the server did not answer a request to listen"),
      );
      connection.onConnection(port, (channel) =>
        accept(channel, request.serve),
      );
      try {
        // Sent before anybody waits: a message that is too long throws, and would leave a waiter to nobody.
        stream.send({
          t: "open",
          id: request.id,
          kind: "http",
          port,
          upstream: request.upstream,
          ...(request.name !== undefined && { name: request.name }),
          ...(request.resume && { resume: request.resume }),
          ...(request.hostHeader !== undefined && {
            hostHeader: request.hostHeader,
          }),
        });
        const opened = (await wait(
          `open ${request.id}`,
          ANSWER_TIMEOUT_MS,
          () => lost("the edge did not answer in time"),
        )) as EdgeMessage & { t: "opened" };
        return { ...opened, port };
      } catch (error) {
        release(port);
        throw error;
      }
    },
    closeTunnel(id, port) {
      stream.send({ t: "close", id });
      connection.onConnection(port, undefined);
      // In this order: a forward that ends while its tunnel is open looks like a connection that broke, and the edge
      // would keep the name for us.
      void link
        .ping()
        .catch(() => {})
        .then(() => release(port));
    },
    reportUpstream(id, state, reason) {
      stream.send({
        t: "upstream",
        id,
        state,
        ...(reason !== undefined && { reason: reason.slice(0, 300) }),
      });
    },
    async ping() {
      const n = ++pings;
      const start = performance.now();
      const answer = wait(`ping ${n}`, ANSWER_TIMEOUT_MS, () =>
        lost("the edge did not answer a ping"),
      );
      stream.send({ t: "ping", n });
      await answer;
      return performance.now() - start;
    },
    close: () => connection.close(),
  };
  return link;

  function release(port: number): void {
    connection.onConnection(port, undefined);
    // The connection may be gone already, and with it the forward: then there is nothing left to release.
    connection.unforwardIn("127.0.0.1", port).catch(() => {});
  }
}

interface Waiter {
  resolve(message: EdgeMessage): void;
  reject(error: ExposeError): void;
}

function expectProof(
  channel: Duplex,
  expected: Buffer,
  onProved: () => void,
): void {
  let got = Buffer.alloc(0);
  const drop = (): void => void channel.destroy();
  channel.on("error", drop);
  channel.on("end", drop);
  channel.on("data", read);
  // A channel that was paused before stays so when it only gets a listener.
  channel.resume();

  function read(chunk: Buffer): void {
    got = Buffer.concat([got, chunk]);
    if (got.length < PROOF_BYTES) return;
    channel.pause();
    channel.off("data", read);
    channel.off("end", drop);
    if (!timingSafeEqual(got.subarray(0, PROOF_BYTES), expected)) return drop();
    if (got.length > PROOF_BYTES) channel.unshift(got.subarray(PROOF_BYTES));
    onProved();
    channel.off("error", drop);
    channel.resume();
  }
}

function refusal(message: EdgeMessage & { t: "refused" }): ExposeError {
  const code: ClientErrorCode =
    message.code === "version-unsupported"
      ? "version-unsupported"
      : message.code === "revoked"
        ? "revoked"
        : message.code.startsWith("name-")
          ? "name-refused"
          : message.code === "draining"
            ? "connection-lost"
            : "tunnel-refused";
  return new ExposeError(code, message.message, { edgeCode: message.code });
}

const lost = (how: string): ExposeError =>
  new ExposeError(
    "connection-lost",
    `The connection to the edge ended: ${how}.`,
  );

const notAnEdge = (how: string, cause?: unknown): ExposeError =>
  new ExposeError(
    "server-not-edge",
    `The server accepted the login, but no expose edge answers behind it: ${how}. Is expose-edge running there? For a plain sshd use --bare --remote-port PORT.`,
    { cause },
  );
