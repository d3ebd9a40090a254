// One client's control session: what it asks for and hears, from its hello to its end.
import {
  createMessageStream,
  parseClientMessage,
  PRODUCT_VERSION,
  PROTOCOL_VERSION,
  type ClientMessage,
  type ControlErrorCode,
  type EdgeMessage,
} from "@expose/protocol";
import type { IngressSession } from "../ingress/ingress.ts";
import { isHostHeaderPolicy } from "../policy/host-header.ts";
import { ControlRefusal } from "../refusal.ts";
import type { LiveTunnel, TunnelOwner } from "../routes/live-tunnel.ts";
import type { OpenedTunnel } from "../routes/table.ts";
import type { ControlContext } from "./context.ts";
import { createRequestFeed } from "./request-feed.ts";

// A client says hello as soon as its channel is open; whoever waits longer holds a slot for nothing.
const HELLO_TIMEOUT_MS = 10_000;

// How long a last message may take to leave.
const FAREWELL_MS = 1_000;

// A client that sends pings and reads no pongs must not fill our memory.
const MAX_QUEUED_BYTES = 256 * 1024;

type OpenMessage = ClientMessage & { readonly t: "open" };

/**
 * Serves a client that speaks the control protocol, until its session ends.
 */
export function serveSession(
  session: IngressSession,
  context: ControlContext,
): void {
  const { table, log, refusals, openings, feeds, drains, sessionCounts } =
    context;
  const tunnels = new Map<number, LiveTunnel>();
  /** Those that the edge is still opening, and whether the client has closed them again. */
  const opening = new Map<number, { closed: boolean }>();
  let greeted = false;
  let ended = false;
  let finishing = false;
  const stream = createMessageStream<ClientMessage, EdgeMessage>(
    session.control,
    parseClientMessage,
    (message) => {
      try {
        receive(message);
      } catch (error) {
        failed(error);
      }
    },
    (error) => refuse("message-invalid", error.message),
  );
  const feed = createRequestFeed(stream);
  const helloTimer = setTimeout(() => {
    refuse("message-invalid", "The client did not say hello in time.");
  }, HELLO_TIMEOUT_MS);

  const owner: TunnelOwner = {
    identity: session.identity,
    superseded(tunnel) {
      forget(tunnel);
      note("tunnel superseded", tunnel);
      // Its client has not heard that it is open, and hears why it is not.
      if (tunnelId(tunnel) < 0 && opening.size > 0) return;
      stream.send({
        t: "closed",
        ...idOf(tunnel),
        code: "superseded",
        message: whySuperseded(tunnel),
        retry: false,
      });
      tunnels.delete(tunnelId(tunnel));
      // What is left of a session without tunnels holds channels and a forward for nobody.
      if (tunnels.size === 0) finish();
    },
    lost(tunnel) {
      forget(tunnel);
      tunnels.delete(tunnelId(tunnel));
      note("tunnel lost", tunnel);
    },
  };

  sessionCounts[session.ingress]++;
  session.onceEnded(() => {
    ended = true;
    sessionCounts[session.ingress]--;
    clearTimeout(helloTimer);
    drains.delete(drain);
    for (const tunnel of [...tunnels.values()]) {
      forget(tunnel);
      table.close(tunnel, "lost");
      note("tunnel lost", tunnel);
    }
    tunnels.clear();
  });
  session.control.on("end", finish);
  drains.add(drain);

  function receive(message: ClientMessage): void {
    // A session on its way out gets nothing more; least of all the name back that it has just lost.
    if (ended || finishing) return;
    if (stream.queuedBytes > MAX_QUEUED_BYTES) return session.end();
    if (message.t === "hello") return hello(message.v, message.client);
    if (!greeted)
      return refuse("message-invalid", "The first message must be a hello.");
    switch (message.t) {
      case "open":
        return openTunnel(message);
      case "close":
        return closeTunnel(message.id);
      case "upstream": {
        const tunnel = tunnels.get(message.id);
        if (tunnel)
          table.tell(tunnel, {
            upstreamDown:
              message.state === "down"
                ? { reason: message.reason ?? "" }
                : undefined,
          });
        return;
      }
      case "watch":
        feed.enabled = message.on;
        for (const tunnel of tunnels.values())
          table.tell(tunnel, { watched: message.on });
        return;
      case "ping":
        stream.send({ t: "pong", n: message.n });
        return;
    }
  }

  function hello(version: number, client: string): void {
    if (greeted) return refuse("message-invalid", "A second hello.");
    clearTimeout(helloTimer);
    if (version !== PROTOCOL_VERSION)
      return refuse(
        "version-unsupported",
        `This edge (${PRODUCT_VERSION}) speaks version ${PROTOCOL_VERSION} of the control protocol and the client speaks ${version}; install the same release on both ends.`,
      );
    greeted = true;
    log.debug("session greeted", { identity: session.identity.id, client });
    stream.send({
      t: "welcome",
      v: PROTOCOL_VERSION,
      edge: `expose-edge/${PRODUCT_VERSION}`,
      ingress: session.ingress,
      identity: session.identity.id,
      url: context.urlPattern(),
      ...(session.proof && { proof: session.proof }),
    });
  }

  function openTunnel(message: OpenMessage): void {
    try {
      if (tunnels.has(message.id) || opening.has(message.id))
        throw new ControlRefusal(
          "message-invalid",
          `Tunnel ${message.id} is open already.`,
        );
      const forward = session.forward(message.port);
      if (!forward)
        throw new ControlRefusal(
          "forward-missing",
          `This session holds no forward on port ${message.port}.`,
        );
      const opened = table.open(owner, {
        name: message.name,
        resume: message.resume,
        forward,
        hostHeader: checkHostHeader(message.hostHeader ?? "preserve"),
        upstream: message.upstream,
      });
      if (opened instanceof Promise) awaitOpened(message, opened);
      else tellOpened(message, opened);
    } catch (error) {
      tellRefused(message, error);
    }
  }

  function awaitOpened(
    message: OpenMessage,
    opened: Promise<OpenedTunnel>,
  ): void {
    const state = { closed: false };
    opening.set(message.id, state);
    opened
      .then(
        (result) => {
          opening.delete(message.id);
          if (ended) table.close(result.tunnel, "lost");
          else if (state.closed) table.close(result.tunnel, "released");
          // Another session of the same identity was faster than our answer.
          else if (result.tunnel.closed)
            tellRefused(
              message,
              new ControlRefusal("superseded", whySuperseded(result.tunnel)),
            );
          else tellOpened(message, result);
        },
        (error: unknown) => {
          opening.delete(message.id);
          if (!ended) tellRefused(message, error);
        },
      )
      .catch(failed);
  }

  function tellOpened(
    message: OpenMessage,
    { tunnel, resume }: OpenedTunnel,
  ): void {
    // The same session may reopen its own name under another number; the older one is closed by then.
    for (const [id, other] of tunnels) if (other.closed) tunnels.delete(id);
    tunnels.set(message.id, tunnel);
    feeds.set(tunnel.name, feed);
    feed.name(tunnel.name, message.id);
    if (feed.enabled) table.tell(tunnel, { watched: true });
    note("tunnel opened", tunnel, {
      ingress: session.ingress,
      from: session.remoteAddress,
    });
    stream.send({
      t: "opened",
      id: message.id,
      name: tunnel.name,
      url: tunnel.url,
      resume,
    });
    context.onOpened?.(tunnel);
  }

  function tellRefused({ id }: OpenMessage, error: unknown): void {
    if (!(error instanceof ControlRefusal)) throw error;
    const { code, message } = error;
    refusals.write(session.identity.id, "tunnel refused", { code });
    stream.send({ t: "refused", id, code, message });
  }

  function closeTunnel(id: number): void {
    const early = opening.get(id);
    if (early) early.closed = true;
    const tunnel = tunnels.get(id);
    if (!tunnel) return;
    tunnels.delete(id);
    forget(tunnel);
    table.close(tunnel, "released");
    note("tunnel closed", tunnel);
  }

  function note(message: string, { name }: LiveTunnel, more?: object): void {
    openings.write(session.identity.id, message, { tunnel: name, ...more });
  }

  function refuse(code: ControlErrorCode, message: string): void {
    clearTimeout(helloTimer);
    refusals.write(session.identity.id, "session refused", { code });
    stream.send({ t: "refused", code, message });
    finish();
  }

  // A bug that one session meets must not end the process, and with it everybody's tunnels.
  function failed(error: unknown): void {
    log.error("bug", { error });
    session.end();
  }

  // Ends the session, but lets what was written reach the client first. A client that does not read is not waited
  // for: what it holds would stay open.
  function finish(): void {
    if (ended || finishing) return;
    finishing = true;
    const patience = setTimeout(() => session.end(), FAREWELL_MS);
    session.onceEnded(() => clearTimeout(patience));
    session.control.end(() => session.end());
  }

  function drain(): void {
    stream.send({
      t: "closed",
      code: "draining",
      message: "The edge is stopping.",
      retry: true,
    });
  }

  function forget(tunnel: LiveTunnel): void {
    feed.forget(tunnel.name);
    if (feeds.get(tunnel.name) === feed) feeds.delete(tunnel.name);
  }

  function tunnelId(tunnel: LiveTunnel): number {
    for (const [id, candidate] of tunnels) if (candidate === tunnel) return id;
    return -1;
  }

  function idOf(tunnel: LiveTunnel): { id?: number } {
    const id = tunnelId(tunnel);
    return id < 0 ? {} : { id };
  }
}

const whySuperseded = ({ url, identityId }: LiveTunnel): string =>
  `${url} was opened again by ${identityId} from elsewhere.`;

function checkHostHeader(value: string): string {
  if (isHostHeaderPolicy(value)) return value;
  throw new ControlRefusal(
    "upstream-option-invalid",
    "The host header must be preserve, rewrite, or a host with an optional port.",
  );
}
