// Node's HTTP server as the edge uses it: a strict parser with limits. What to do with a request is decided elsewhere.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { EdgeRequest } from "./edge-request.ts";
import type { Engine } from "./engine.ts";
import type { Refusal } from "./refusal.ts";
import { VisitorConnection } from "./visitor-connection.ts";

// How far above the limit a visitor's connections are still told why they are refused.
const TOLD_FACTOR = 2;

/** Builds a server whose connections and requests belong to the engine. */
export function createVisitorServer(
  engine: Engine,
): Server<typeof EdgeRequest, typeof ServerResponse> {
  const { limits, timeouts } = engine;
  const connections = new WeakMap<Socket, VisitorConnection>();

  const server = createServer({
    IncomingMessage: EdgeRequest,
    maxHeaderSize: limits.requestHeadBytes,
    // A missing Host is answered by the pipeline, which also counts the others.
    requireHostHeader: false,
    headersTimeout: timeouts.headersMs,
    connectionsCheckingInterval: timeouts.sweepMs,
    // Its limit of 300 s holds for uploads that move, too. The sweep knows which do.
    requestTimeout: 0,
    keepAliveTimeout: timeouts.keepAliveMs,
    noDelay: true,
    insecureHTTPParser: false,
  });
  // Node drops the fields above its limit in silence, Content-Length among them. The pipeline refuses them instead.
  server.maxHeadersCount = 0;

  // Connections begin in the quick lane, and come to Node when they leave it.
  const nodeListeners = server.listeners("connection");
  server.removeAllListeners("connection");
  const giveToNode = (socket: Socket): void => {
    for (const listener of nodeListeners) listener.call(server, socket);
  };

  server.on("connection", (socket) => {
    if (engine.connections.size >= limits.connections) {
      engine.refusedConnections++;
      socket.destroy();
      return;
    }
    const connection = new VisitorConnection(engine, socket, giveToNode);
    connections.set(socket, connection);
    const excess = connection.excess;
    if (excess <= 1) return;
    engine.refusedConnections++;
    if (excess > TOLD_FACTOR) connection.destroy();
    else connection.sayAndClose({ code: "visitor-busy", retryAfterS: 10 });
  });
  server.on("request", (request, response) =>
    connections.get(request.socket)?.receiveFromNode(request, response, false),
  );
  server.on("checkContinue", (request, response) =>
    connections.get(request.socket)?.receiveFromNode(request, response, true),
  );
  // The pipeline refuses it, like any other request.
  server.on("checkExpectation", (request, response) =>
    connections.get(request.socket)?.receiveFromNode(request, response, false),
  );
  server.on("upgrade", (request, socket, head) =>
    connections.get(socket as Socket)?.receiveUpgrade(request, head),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const connection = connections.get(socket as Socket);
    // Bytes behind a request that said it was the last. They are nobody's, and the answer to it is on its way.
    if (connection && error.code === "HPE_CLOSED_CONNECTION")
      return connection.stopReceiving();
    const refusal = explainClientError(error.code);
    if (connection && refusal)
      connection.reject(refusal, error.code === "HPE_INVALID_EOF_STATE");
    else socket.destroy();
  });
  return server;
}

// Undefined: the connection is gone, and there is nobody to tell.
function explainClientError(code: string | undefined): Refusal | undefined {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return { code: "headers-too-large" };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { code: "request-timeout" };
    default:
      return code?.startsWith("HPE_") ? { code: "request-invalid" } : undefined;
  }
}
