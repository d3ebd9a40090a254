// A small web server to point a first tunnel at: it greets, and tells its owner what it was asked.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as it arrived; it comes from a stranger, and a header's value may hold any byte. */
export interface DebugRequest {
  method: string;
  /** Path and query as they stood in the request line. */
  target: string;
  httpVersion: string;
  /** Names and values in the order and the case in which they came. */
  headers: readonly (readonly [name: string, value: string])[];
}

/** A debugging server that listens. */
export interface DebugServer {
  readonly port: number;
  /** Stops at once; running requests are cut. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a server on a free port of 127.0.0.1 that answers each request with `hello` and its path. Bodies are read and
 * forgotten. An open server keeps the process alive.
 *
 * @param onRequest hears of each request when its head has arrived
 */
export async function startDebugServer(
  onRequest: (request: DebugRequest) => void,
): Promise<DebugServer> {
  const server = createServer((req, res) => {
    const { method = "", url: target = "", httpVersion, rawHeaders } = req;
    const headers: [string, string][] = [];
    for (let i = 0; i + 1 < rawHeaders.length; i += 2)
      headers.push([rawHeaders[i]!, rawHeaders[i + 1]!]);
    onRequest({ method, target, httpVersion, headers });
    req.resume();
    // Node's parser lets nothing but printable ASCII into a target.
    const body = `hello ${target}\n`;
    res.writeHead(200, {
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": Buffer.byteLength(body),
      // Without it a browser might take a path with tags in it for a page.
      "X-Content-Type-Options": "nosniff",
    });
    res.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    port,
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}
