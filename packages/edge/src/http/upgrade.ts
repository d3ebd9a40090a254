// The door to http-proxy, which is used for one thing: to send a WebSocket upgrade and bring the upstream's consent back
// to the visitor. Its other half smuggles (CVE-2026-29057) and is never called.
import httpProxy from "http-proxy";
import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Hears how an upgrade goes. */
export interface UpgradeEvents {
  /** The request is about to be sent: its path and its headers are still to be set. */
  prepare(request: ClientRequest): void;
  /** The upstream has agreed, and the visitor was told. Both streams are paused, and nobody listens to them any more. */
  agreed(): void;
  /** The request failed. The visitor's socket is ended after the call. */
  failed(error: Error): void;
}

const proxy = httpProxy.createProxyServer({
  // Without it, http-proxy parses the path.
  toProxy: true,
  target: { protocol: "http:", host: "upstream", port: "80" },
});
const onOpen = new WeakMap<Duplex, () => void>();

proxy.on("proxyReqWs", (request, _message, _socket, options) => {
  (options.agent as UpgradeAgent).events.prepare(request);
});
proxy.on("open", (stream) => onOpen.get(stream)?.());

/**
 * Sends an upgrade over `stream`, and tells the visitor once the upstream has switched. Nothing that the visitor sends
 * leaves; what came behind the heads is in the streams, to be read.
 *
 * The request itself is empty: `events.prepare` sets its path and headers. http-proxy's own copy of a path collapses
 * "//", and Node's client acts on some headers (Expect) as soon as it sees them.
 *
 * @param stream the connection to the upstream, to which nobody else writes
 * @param head what the visitor has sent behind its request already
 */
export function joinUpgrade(
  events: UpgradeEvents,
  stream: Duplex,
  socket: Socket,
  head: Buffer,
): void {
  const forget = rememberListeners([stream, socket]);
  onOpen.set(stream, () => {
    onOpen.delete(stream);
    // Its pipes and listeners would keep the request, the answer and 3 KiB of closures for as long as the WebSocket lives.
    stream.unpipe(socket);
    socket.unpipe(stream);
    forget();
    events.agreed();
  });
  const request = {
    method: "GET",
    url: "/",
    headers: { connection: "upgrade", upgrade: "websocket" },
  } as IncomingMessage; // All of it that http-proxy reads.
  // It calls util._extend, which newer Nodes report as deprecated (DEP0060), to an operator who can do nothing about it.
  const { noDeprecation } = process;
  process.noDeprecation = true;
  try {
    proxy.ws(
      request,
      socket,
      head,
      { agent: new UpgradeAgent(events, stream) },
      (error) => events.failed(error),
    );
  } finally {
    process.noDeprecation = noDeprecation ?? false;
  }
}

// Returns what takes away each listener that was added since.
function rememberListeners(streams: readonly Duplex[]): () => void {
  const known = new Set(streams.flatMap(listenersOf));
  return () => {
    for (const stream of streams)
      for (const event of LEFT_BEHIND)
        for (const listener of stream.listeners(event))
          if (!known.has(listener)) stream.off(event, listener as () => void);
  };
}

const LEFT_BEHIND = ["error", "end"];

const listenersOf = (stream: Duplex): unknown[] =>
  LEFT_BEHIND.flatMap((event) => stream.listeners(event));

/** Gives Node's client the one connection that was opened for it. */
class UpgradeAgent extends Agent {
  readonly events: UpgradeEvents;
  readonly #stream: Duplex;

  constructor(events: UpgradeEvents, stream: Duplex) {
    super({ keepAlive: false });
    this.events = events;
    this.#stream = stream;
  }

  override createConnection(): Duplex {
    return this.#stream;
  }
}
