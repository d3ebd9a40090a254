// A client that says whatever a test wants: it serves the built page and speaks the inspector's API over fields that the
// test fills. For what no real service could make a client capture: hostile names of tunnels, a lost connection, errors.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import {
  PAGE_POLICY,
  type BodyView,
  type Comparison,
  type Exchange,
  type ExchangeMessage,
  type ExchangeSummary,
  type InspectorError,
  type InspectorStatus,
  type ReplayAnswer,
  type ReplayManyAnswer,
} from "@expose/protocol";
import { onTestFinished } from "vitest";

const PAGE = join(
  import.meta.dirname,
  "../../../packages/client/dist/inspector",
);

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** An exchange with all that the API tells of it. */
export interface FakeExchange {
  exchange: Exchange;
  views?: Partial<Record<"request" | "response", BodyView>>;
  bodies?: Partial<Record<"request" | "response", Buffer>>;
  messages?: ExchangeMessage[];
}

export class FakeClient {
  /** Newest last. */
  readonly exchanges = new Map<string, FakeExchange>();
  status: InspectorStatus = {
    version: "0.1.0",
    tunnels: [
      {
        name: "shop",
        url: "https://shop.example.com",
        upstream: "localhost:8080",
        state: "online",
        latencyMs: 21,
        openConnections: 2,
      },
    ],
    store: { file: "history.db", exchanges: 0, bytes: 0, missed: 0 },
    secrets: [],
  };
  /** Answers of routes by `METHOD /path`, in place of what the fields say. */
  readonly failures = new Map<
    string,
    { status: number; error: InspectorError }
  >();
  comparison: Comparison = {
    status: { left: 200, right: 200 },
    headers: [],
    body: { kind: "same" },
  };
  replayAnswer: ReplayAnswer = { results: [] };
  replayManyAnswer: ReplayManyAnswer = { results: [] };
  exported = "curl https://shop.example.com/";
  /** Which exchanges a filter keeps; undefined: it cannot be read. */
  filter: (
    text: string,
  ) => ((summary: ExchangeSummary) => boolean) | InspectorError =
    (text) => (summary) =>
      summary.target.includes(text);
  /** `METHOD /path?query` of each request of the API, and what was posted. */
  readonly seen: { request: string; json: unknown }[] = [];
  readonly #streams = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response);
  });
  url = "";
  contentSecurityPolicy: string = PAGE_POLICY;

  /** How many follow the events. */
  get followers(): number {
    return this.#streams.size;
  }

  /** Listens on a port of 127.0.0.1; 0: any. */
  async listen(port = 0): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Puts an exchange in and tells the page of it. */
  add(...all: FakeExchange[]): void {
    for (const one of all) {
      this.exchanges.set(one.exchange.id, one);
      this.send("exchange", toSummary(one.exchange));
    }
  }

  send(event: string, data: unknown): void {
    for (const stream of this.#streams)
      stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    response.setHeader("Content-Security-Policy", this.contentSecurityPolicy);
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Cache-Control", "no-store");
    if (!url.pathname.startsWith("/api/"))
      return this.#sendFile(url.pathname, response);
    const text = await readText(request);
    this.seen.push({
      request: `${request.method} ${request.url}`,
      json: text === "" ? undefined : JSON.parse(text),
    });
    const failure = this.failures.get(`${request.method} ${url.pathname}`);
    if (failure)
      return sendJson(response, { error: failure.error }, failure.status);
    this.#route(request.method ?? "", url, response);
  }

  async #sendFile(path: string, response: ServerResponse): Promise<void> {
    const name = path === "/" ? "/index.html" : path;
    try {
      const bytes = await readFile(join(PAGE, name));
      response.setHeader("Content-Type", TYPES[extname(name)] ?? "text/plain");
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }

  #route(method: string, url: URL, response: ServerResponse): void {
    const [, , , what, id, side, part] = url.pathname.split("/");
    const query = url.searchParams;
    if (what === "status") return sendJson(response, this.status);
    if (what === "events") return this.#stream(response);
    if (what === "compare") return sendJson(response, this.comparison);
    if (what === "replays") return sendJson(response, this.replayManyAnswer);
    if (what === "export") return void response.end(this.exported);
    if (what !== "exchanges") return sendJson(response, UNKNOWN, 404);
    if (id === undefined) {
      if (method !== "DELETE") return this.#list(query, response);
      this.exchanges.clear();
      this.send("cleared", {});
      return void response.writeHead(204).end();
    }
    const found = this.exchanges.get(decodeURIComponent(id));
    if (!found) return sendJson(response, UNKNOWN, 404);
    if (side === undefined) return sendJson(response, found.exchange);
    if (side === "replay") return sendJson(response, this.replayAnswer);
    if (side === "export") return void response.end(this.exported);
    if (side === "messages") {
      const after = Number(query.get("after") ?? -1);
      const items = (found.messages ?? []).filter(({ index }) => index > after);
      return sendJson(response, { items: items.slice(0, 1_000) });
    }
    if (side !== "request" && side !== "response")
      return sendJson(response, UNKNOWN, 404);
    if (part === "view")
      return sendJson(
        response,
        found.views?.[side] ?? { kind: "text", text: "" },
      );
    response.end(found.bodies?.[side] ?? Buffer.alloc(0));
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const text = query.get("filter");
    const keeps = text === null ? () => true : this.filter(text);
    if (typeof keeps !== "function")
      return sendJson(response, { error: keeps }, 400);
    const limit = Number(query.get("limit") ?? 100);
    const before = query.get("before");
    const matching = [...this.exchanges.values()]
      .map(({ exchange }) => toSummary(exchange))
      .filter(keeps)
      .sort((a, b) => (a.id < b.id ? 1 : -1))
      .filter(({ id }) => before === null || id < before);
    const items = matching.slice(0, limit);
    sendJson(response, {
      items,
      ...(matching.length > limit && { next: items.at(-1)?.id }),
    });
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(": ready\n\n");
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }
}

/** Starts one that ends with the test. */
export async function startFakeClient(port = 0): Promise<FakeClient> {
  const client = new FakeClient();
  await client.listen(port);
  onTestFinished(() => client.close());
  return client;
}

const UNKNOWN = {
  error: { code: "exchange-unknown", message: "There is no such exchange." },
};

function sendJson(
  response: ServerResponse,
  value: unknown,
  status = 200,
): void {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const DETAILS = new Set([
  "request",
  "response",
  "timing",
  "redacted",
  "upstream",
  "visitor",
]);

/** What a list shows of it. */
const toSummary = (exchange: Exchange): ExchangeSummary =>
  Object.fromEntries(
    Object.entries(exchange).filter(([name]) => !DETAILS.has(name)),
  ) as unknown as ExchangeSummary; // what is left of it, field by field
