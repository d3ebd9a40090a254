// A visitor: requests to the edge's address with the tunnel's name in the Host header, because no resolver here knows it.
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect, type Socket } from "node:net";
import { once } from "node:events";

/** What a visitor got. */
export interface Visit {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: Buffer;
  readonly text: string;
}

/** What a visitor asks. */
export interface VisitOptions {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: Buffer | string;
}

/** Asks for `path` under a tunnel's URL, on a connection of its own. */
export function visit(
  url: string,
  path = "/",
  options: VisitOptions = {},
): Promise<Visit> {
  const { hostname, port, host } = new URL(url);
  void hostname;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: "127.0.0.1",
        port,
        path,
        method: options.method ?? "GET",
        headers: { host, ...options.headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const body = Buffer.concat(chunks);
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            trailers: response.trailers,
            body,
            text: body.toString(),
          });
        });
      },
    );
    request.on("error", reject);
    request.end(options.body);
  });
}

/** Opens a bare connection to the edge, for requests that no client library would send. */
export async function dialEdge(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.setNoDelay(true);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}
