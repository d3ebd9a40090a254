// Local services for tests: real HTTP servers on port 0 that can be asked what they saw.
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A running local service. */
export interface TestUpstream {
  readonly port: number;
  readonly server: Server;
  /** `METHOD target` of each request, in order. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** Starts a server on 127.0.0.1 (or `host`), which closes when the test has finished. */
export async function startUpstream(
  listener: RequestListener,
  options: { host?: string; port?: number; keep?: boolean } = {},
): Promise<TestUpstream> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  server.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  if (!options.keep) onTestFinished(close);
  return {
    port: (server.address() as AddressInfo).port,
    server,
    seen,
    close,
  };
}

/** Answers `hello /path` to everything. */
export const hello: RequestListener = (request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end(`hello ${request.url}`);
};

/** Sends back the request's body, byte for byte. */
export const echo: RequestListener = (request, response) => {
  request.pipe(response);
};
