// The operator's own listener: /healthz, /readyz and /metrics. It asks for no password, so it answers this machine alone.
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { isIP } from "node:net";
import type { Log } from "../util/log.ts";
import { listen, type ListeningAddress } from "../util/listen.ts";

/** What the admin listener needs. */
export interface AdminOptions {
  /** Checked by the configuration to be loopback, or allowed by the operator to be another. */
  readonly listen: ListeningAddress;
  /** Whether the edge can take visitors, and if not, why. */
  readonly readiness: () => Readiness;
  /** The text for /metrics. */
  readonly metrics: () => string | Promise<string>;
  readonly log: Pick<Log, "warn">;
}

/** `ready`, or what the edge is doing instead. */
export type Readiness = "ready" | "starting" | "draining";

/** The admin listener of one edge. */
export interface Admin {
  /** @throws EdgeError `listen-failed` */
  start(): Promise<void>;
  /** Where it listens. @throws Error before start() and after close() */
  address(): ListeningAddress;
  /** Ends its connections at once: no answer of it is worth waiting for. Idempotent. */
  close(): Promise<void>;
}

// A scraper, a watchdog and somebody's curl; more is no operator.
const MAX_CONNECTIONS = 32;
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_HEAD_BYTES = 8 * 1024;

/** Builds the admin listener. */
export function createAdmin(options: AdminOptions): Admin {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEAD_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => {
        options.log.warn("admin listener failed", { error });
        response.destroy();
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  let address: ListeningAddress | undefined;
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    if (!address) return;
    address = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  return {
    async start() {
      address = await listen(
        server,
        options.listen,
        "the admin listener",
        "admin.listen",
      );
      // Such as no descriptor left for one more connection.
      server.on("error", (error) =>
        options.log.warn("admin listener failed", { error }),
      );
      // The process lives for its visitors, not for its watchers.
      server.unref();
    },
    address() {
      if (!address) throw new Error("The admin listener is not open.");
      return address;
    },
    close: () => (closing ??= close()),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { readiness, metrics }: AdminOptions,
): Promise<void> {
  const { status, text: given, type } = route(request, readiness, metrics);
  const text = typeof given === "string" ? given : await given;
  response.writeHead(status, {
    "content-type": `${type ?? "text/plain"}; charset=utf-8`,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(status === 405 && { allow: "GET, HEAD" }),
    // A body that was sent along is not read.
    ...(hasBody(request) && { connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

function route(
  request: IncomingMessage,
  readiness: AdminOptions["readiness"],
  metrics: AdminOptions["metrics"],
): { status: number; text: string | Promise<string>; type?: string } {
  if (!isOwnHost(request))
    return {
      status: 421,
      text: "This listener answers calls by IP address or as localhost.\n",
    };
  if (request.method !== "GET" && request.method !== "HEAD")
    return { status: 405, text: "Only GET and HEAD.\n" };
  switch (request.url?.split("?", 1)[0]) {
    case "/healthz":
      return { status: 200, text: "ok\n" };
    case "/readyz": {
      const state = readiness();
      return { status: state === "ready" ? 200 : 503, text: `${state}\n` };
    }
    case "/metrics":
      return {
        status: 200,
        text: metrics(),
        type: "text/plain; version=0.0.4",
      };
    default:
      return {
        status: 404,
        text: "There are /healthz, /readyz and /metrics.\n",
      };
  }
}

/**
 * DNS rebinding: a page of a stranger, open in a browser on this machine, lets its own name lead to 127.0.0.1 and reads
 * what it fetches from there. The browser then sends that name as Host. An IP address cannot be made to lead elsewhere.
 */
function isOwnHost(request: IncomingMessage): boolean {
  const { rawHeaders } = request;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]!.toLowerCase() === "host") hosts++;
  if (hosts !== 1) return false;
  const host = (request.headers.host ?? "").replace(/:\d{1,5}$/, "");
  const bare = /^\[(.*)\]$/.exec(host)?.[1];
  return (
    host.toLowerCase() === "localhost" ||
    isIP(host) === 4 ||
    (bare !== undefined && isIP(bare) === 6)
  );
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined ||
  (headers["content-length"] ?? "0") !== "0";
