// One SSH connection to an edge while it lasts: the control channel and the tunnels that were opened over it.
import {
  createMessageStream,
  parseEdgeMessage,
  PRODUCT_VERSION,
  PROTOCOL_VERSION,
  type ClientMessage,
  type EdgeMessage,
  type LinkPressure,
  type MessageStream,
} from "@expose/protocol";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { ExposeError, type ClientErrorCode } from "../errors.ts";
import { createAwaitedAnswers } from "./awaited-answers.ts";
import {
  exchangeProofs,
  readForwardProof,
  type ForwardProof,
} from "./forward-proof.ts";

/** What a control link needs of an SSH connection. */
export interface LinkConnection {
  readonly link: LinkPressure;
  /** Resolves when a command was asked for. When the server refuses it, what it resolved with ends with an error. */
  execAhead(command: string): Promise<Duplex>;
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

/** What an edge answers to a hello. */
export type Welcome = EdgeMessage & { t: "welcome" };

/** See the file's head. */
export interface ControlLink {
  /** Rejects with `server-not-edge`, `version-unsupported`, `revoked` or `connection-lost`. */
  readonly greeted: Promise<Welcome>;
  /** Opens a tunnel; the edge need not have answered the greeting. @throws ExposeError `name-refused`, `tunnel-refused`, `forward-refused` or `connection-lost` */
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
const NO_PROTOCOL = "what it said is not the control protocol";

/**
 * Opens the control channel on a fresh connection and greets the edge. The session channel comes before the first
 * forward is used: it is also what makes sshd switch Nagle's algorithm off, which otherwise costs 40 ms here and there.
 *
 * Nothing that is asked for here waits for the answer before it: tunnels may be opened at once, and on a slow line their
 * URLs are there when the edge has answered, three round trips earlier.
 *
 * @returns the link; whether it works shows in `greeted`
 */
export function startControlLink(
  connection: LinkConnection,
  events: LinkEvents,
  options: { watchRequests: boolean },
): ControlLink {
  const answers = createAwaitedAnswers();
  let pings = 0;
  let welcomed = false;
  let proof: ForwardProof | undefined;
  let stream: MessageStream<ClientMessage> | undefined;
  connection.onceClosed((error) =>
    answers.fail(error ?? lost("it was closed")),
  );

  const greeted = answers.wait("welcome", WELCOME_TIMEOUT_MS, () =>
    notAnEdge("no edge answered within 10 seconds"),
  ) as Promise<Welcome>;
  const speaking = speak();
  // Whoever waits for one of the two hears of the error by it; the other one is no unhandled rejection.
  greeted.catch(() => {});
  speaking.catch(() => {});

  async function speak(): Promise<void> {
    const channel = await connection
      .execAhead(CONTROL_COMMAND)
      .catch((cause) => {
        answers.fail(notAnEdge("it refused the control command", cause));
        throw answers.failure!;
      });
    let refusal: unknown;
    channel.on("error", (error) => (refusal = error));
    channel.on("close", () => {
      const error = welcomed
        ? lost("the edge closed the control channel")
        : refusal === undefined
          ? notAnEdge("the control command ended without a greeting")
          : notAnEdge("it refused the control command", refusal);
      answers.fail(error);
      // Without control there are no tunnels; a connection that stays would only hide that.
      connection.destroy(error);
    });
    stream = createMessageStream<EdgeMessage, ClientMessage>(
      channel,
      parseEdgeMessage,
      receive,
      (error) =>
        giveUp(welcomed ? lost(error.message) : notAnEdge(NO_PROTOCOL)),
    );
    stream.send({
      t: "hello",
      v: PROTOCOL_VERSION,
      client: `expose/${PRODUCT_VERSION}`,
      host: hostname().slice(0, 253),
    });
    if (options.watchRequests) stream.send({ t: "watch", on: true });
  }

  // The connection is of no use without a link.
  function giveUp(error: ExposeError): void {
    answers.fail(error);
    connection.destroy(error);
  }

  function receive(message: EdgeMessage): void {
    if (message.t === "refused") return refused(message);
    if (message.t === "welcome") return welcome(message);
    if (!welcomed) return giveUp(notAnEdge(NO_PROTOCOL));
    switch (message.t) {
      case "opened":
        return answers.settle(`open ${message.id}`, message);
      case "closed":
        return events.closed(message);
      case "request":
        return events.request(message);
      case "pong":
        return answers.settle(`ping ${message.n}`, message);
    }
  }

  function welcome(message: Welcome): void {
    if (welcomed) return;
    if (message.v !== PROTOCOL_VERSION)
      return giveUp(
        new ExposeError(
          "version-unsupported",
          `The edge (${message.edge}) speaks version ${message.v} of the control protocol and this client (${PRODUCT_VERSION}) speaks ${PROTOCOL_VERSION}; install the same release on both ends.`,
        ),
      );
    welcomed = true;
    proof = readForwardProof(message);
    answers.settle("welcome", message);
  }

  function refused(message: EdgeMessage & { t: "refused" }): void {
    const error = refusal(message);
    // Of the whole session: the edge is about to end the connection; this is why, and not that it broke.
    if (message.id === undefined) giveUp(error);
    else answers.reject(`open ${message.id}`, error);
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

  function accept(channel: Duplex, serve: LinkTunnelRequest["serve"]): void {
    if (!welcomed) {
      // It came another way than the greeting, which it may overtake, and in which stands whether it has to prove itself.
      channel.on("error", () => {});
      void greeted.then(
        () => accept(channel, serve),
        () => channel.destroy(),
      );
      return;
    }
    const hand = (): void => serve(channel, connection.link);
    if (proof) exchangeProofs(channel, proof, hand);
    else hand();
  }

  const link: ControlLink = {
    greeted,
    async open(request) {
      const port = await inTime(connection.forwardIn("127.0.0.1", 0), () =>
        lost("the server did not answer a request to listen"),
      );
      connection.onConnection(port, (channel) =>
        accept(channel, request.serve),
      );
      try {
        await speaking;
        // Sent before anybody waits: a message that is too long throws, and would leave a waiter to nobody.
        stream!.send({
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
        const opened = (await answers.wait(
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
      stream?.send({ t: "close", id });
      connection.onConnection(port, undefined);
      // In this order: a forward that ends while its tunnel is open looks like a connection that broke, and the edge
      // would keep the name for us.
      void link
        .ping()
        .catch(() => {})
        .then(() => release(port));
    },
    reportUpstream(id, state, reason) {
      stream?.send({
        t: "upstream",
        id,
        state,
        ...(reason !== undefined && { reason: reason.slice(0, 300) }),
      });
    },
    async ping() {
      const n = ++pings;
      const start = performance.now();
      const answer = answers.wait(`ping ${n}`, ANSWER_TIMEOUT_MS, () =>
        lost("the edge did not answer a ping"),
      );
      stream?.send({ t: "ping", n });
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
