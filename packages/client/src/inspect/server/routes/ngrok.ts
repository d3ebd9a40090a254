// The shapes of ngrok's local API, for scripts that were written for it: what they read of tunnels and requests, and how
// they replay. Reading needs no token (unless --api-token locks it), and shows no secrets then; what changes something
// needs the token here too.
import { PRODUCT_VERSION } from "@expose/protocol/version";
import type { Exchange } from "@expose/protocol";
import type { Replayer } from "../../replay/replayer.ts";
import { ApiError } from "../api-error.ts";
import type { InspectedTunnel, InspectorOptions } from "../inspected.ts";
import { sendJson, sendNothing, untilGone } from "../respond.ts";
import type { Route } from "../router.ts";
import { describeRequest } from "./ngrok-request.ts";
import { ngrokReplayOrder, readOrder } from "./orders.ts";
import { findExchange, readNumber } from "./parameters.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
const MAX_LIST_BYTES = 16 * 1024 * 1024;

export function ngrokRoutes(
  { store, tunnels }: InspectorOptions,
  replayer: Replayer,
): Route[] {
  return [
    {
      method: "GET",
      pattern: "/api",
      access: "open",
      handle: ({ response }) => sendJson(response, ROOT),
    },
    {
      method: "GET",
      pattern: "/api/status",
      access: "open",
      handle: ({ response }) => sendJson(response, describeAgent(tunnels())),
    },
    {
      method: "GET",
      pattern: "/api/tunnels",
      access: "open",
      handle: ({ response }) =>
        sendJson(response, {
          tunnels: tunnels().map(describeTunnel),
          uri: "/api/tunnels",
        }),
    },
    {
      method: "GET",
      pattern: "/api/tunnels/:name",
      access: "open",
      handle({ response, params }) {
        const tunnel = tunnels().find(({ name }) => name === params["name"]);
        if (!tunnel)
          throw new ApiError(
            "tunnel-unknown",
            "No open tunnel has this name; /api/tunnels lists them.",
          );
        sendJson(response, describeTunnel(tunnel));
      },
    },
    {
      method: "GET",
      pattern: "/api/requests/http",
      access: "open",
      async handle({ response, query, trusted }) {
        const tunnel = query.get("tunnel_name");
        const { items } = await store.list({
          limit: readNumber(query, "limit", {
            min: 1,
            max: MAX_LIMIT,
            absent: DEFAULT_LIMIT,
          }),
          filter: {
            needsBodies: false,
            matches: (exchange) =>
              exchange.kind !== "raw" &&
              (tunnel === null || exchange.tunnel === tunnel),
          },
        });
        const requests: unknown[] = [];
        let bytes = 0;
        for (const { id } of items) {
          const exchange = await store.get(id);
          bytes +=
            (exchange?.request?.body.keptBytes ?? 0) +
            (exchange?.response?.body.keptBytes ?? 0);
          // The answer is one text with every body in it: fewer requests rather than all of memory.
          if (bytes > MAX_LIST_BYTES && requests.length > 0) break;
          const described = await describe(exchange, trusted);
          if (described !== undefined) requests.push(described);
        }
        sendJson(response, { uri: "/api/requests/http", requests });
      },
    },
    {
      method: "GET",
      pattern: "/api/requests/http/:id",
      access: "open",
      async handle({ response, params, trusted }) {
        const exchange = await findExchange(store, params["id"]);
        sendJson(response, await describe(exchange, trusted));
      },
    },
    {
      method: "POST",
      pattern: "/api/requests/http",
      access: "token",
      async handle({ request, response }) {
        const order = await readOrder(request, ngrokReplayOrder);
        const original = await findExchange(store, order.id);
        const [replayed] = await replayer.replay(
          original,
          {},
          { signal: untilGone(response) },
        );
        if (replayed?.error) throw replayed.error;
        sendNothing(response);
      },
    },
    {
      method: "DELETE",
      pattern: "/api/requests/http",
      access: "token",
      async handle({ response }) {
        await store.clear();
        sendNothing(response);
      },
    },
  ];

  async function describe(exchange: Exchange | undefined, trusted: boolean) {
    const bodies = exchange && (await store.bodies(exchange.id));
    return bodies && describeRequest(exchange, bodies, trusted);
  }
}

const ROOT = {
  tunnels_uri: "/api/tunnels",
  requests_uri: "/api/requests/http",
  status_uri: "/api/status",
};

function describeAgent(tunnels: readonly InspectedTunnel[]): unknown {
  const latency = tunnels.find((t) => t.latencyMs !== undefined)?.latencyMs;
  return {
    status: tunnels.some(({ state }) => state === "online")
      ? "online"
      : "reconnecting",
    agent_version: PRODUCT_VERSION,
    session: {
      legs: [
        {
          region: "",
          ...(latency !== undefined && { latency: `${latency}ms` }),
        },
      ],
    },
    uri: "/api/status",
  };
}

// What we do not count reads 0, so that scripts which add it up go on.
const NO_RATES = {
  rate1: 0,
  rate5: 0,
  rate15: 0,
  p50: 0,
  p90: 0,
  p95: 0,
  p99: 0,
};

function describeTunnel(tunnel: InspectedTunnel): unknown {
  const { name, url, upstream } = tunnel;
  return {
    name,
    ID: name,
    uri: `/api/tunnels/${encodeURIComponent(name)}`,
    public_url: url,
    proto: url.slice(0, url.indexOf(":")),
    config: {
      addr: /^[\w.-]+:\d+$|^\[.*\]:\d+$/.test(upstream)
        ? `http://${upstream}`
        : upstream,
      inspect: true,
    },
    metrics: {
      conns: { count: 0, gauge: tunnel.openConnections, ...NO_RATES },
      http: { count: 0, ...NO_RATES },
    },
  };
}
