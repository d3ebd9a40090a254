// The door to http-proxy, which is used for one thing: to send a WebSocket upgrade and join the two sides when the
// upstream agrees. Its other half smuggles (CVE-2026-29057) and is never called.
import httpProxy from "http-proxy";
import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Hears how an upgrade goes. */
export interface UpgradeEvents {
  /** The request is about to be sent: its path and its headers are still to be set. */
  prepare(request: ClientRequest): void;
  /** The upstream has agreed, and both sides are joined from now on. */
  joined(): void;
  /** The request failed, or a side did after they were joined. The visitor's socket is ended after the call. */
  failed(error: Error): void;
}

const proxy = httpProxy.createProxyServer({
  // Without it, http-proxy parses the path.
  toProxy: true,
  target: { protocol: "http:", host: "upstream", port: "80" },
});
const byStream = new WeakMap<Duplex, UpgradeEvents>();

proxy.on("proxyReqWs", (request, _message, _socket, options) => {
  (options.agent as UpgradeAgent).events.prepare(request);
});
proxy.on("open", (stream) => byStream.get(stream)?.joined());

/**
 * Sends an upgrade over `stream` and joins it with `socket` once the upstream has switched. Until then nothing that the
 * visitor sends leaves.
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
  byStream.set(stream, events);
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
