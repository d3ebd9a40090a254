// A local service with an answer of each kind, for the tests that look at real exchanges.
import type { IncomingMessage, ServerResponse } from "node:http";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { startUpstream, type TestUpstream } from "../upstreams.ts";

export interface WebShop {
  readonly upstream: TestUpstream;
  /** What `/stock` says; a change of it is a change of the code. */
  stock: { readonly status: number; readonly body: unknown };
}

/** 1 × 1 pixels. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** Starts one that ends with the test. */
export async function startWebShop(): Promise<WebShop> {
  const shop = {
    stock: { status: 500, body: { error: "out of order" } as unknown },
  };
  const upstream = await startUpstream((request, response) => {
    // All of it first: what is answered before a request has ended is another test's matter.
    request.resume().on("end", () => answer(shop, request, response));
  });
  const sockets = new WebSocketServer({
    server: upstream.server,
    perMessageDeflate: { threshold: 0 },
  });
  onTestFinished(() => sockets.close());
  sockets.on("connection", (socket) => {
    socket.on("error", () => socket.terminate());
    socket.on("message", (data) => socket.send(`seen: ${String(data)}`));
  });
  return Object.assign(shop, { upstream });
}

function answer(
  shop: Pick<WebShop, "stock">,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = request.url!.split("?", 1)[0]!;
  const send = (
    type: string,
    body: string | Buffer,
    headers: Record<string, string> = {},
  ) => response.writeHead(200, { "content-type": type, ...headers }).end(body);
  switch (path) {
    case "/stock":
      response.writeHead(shop.stock.status, {
        "content-type": "application/json",
      });
      return void response.end(JSON.stringify(shop.stock.body));
    case "/gzip":
      return void send("application/json", gzipSync('{"packed":true}'), {
        "content-encoding": "gzip",
      });
    case "/br":
      return void send("application/xml", brotliCompressSync("<a><b/></a>"), {
        "content-encoding": "br",
      });
    case "/picture":
      return void send("image/png", PNG);
    case "/bytes":
      return void send(
        "application/octet-stream",
        Buffer.from([0xde, 0xad, 0xbe, 0xef]),
      );
    case "/broken":
      return void send("application/json", '{\n  "a": 1,\n  oops\n}');
    case "/events":
      response.writeHead(200, { "content-type": "text/event-stream" });
      return void response.end(
        "event: price\nid: 7\ndata: 4990\n\ndata: second\n\n",
      );
    default:
      return void send("text/plain", `hello ${request.url}`);
  }
}
