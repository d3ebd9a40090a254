// What there is to read of exchanges: the list, one of them, its bodies and its messages. And to forget them all.
import type { ExchangeStore } from "../../capture.ts";
import { decodeBody } from "../../decode/decode-body.ts";
import { viewBody } from "../../view/view-body.ts";
import { ApiError } from "../api-error.ts";
import { sendBytes, sendJson, sendNothing } from "../respond.ts";
import type { Route } from "../router.ts";
import {
  findExchange,
  readHeader,
  readFilter,
  readId,
  readNumber,
  readSide,
} from "./parameters.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const MAX_MESSAGES = 1_000;

export function exchangeRoutes(store: ExchangeStore): Route[] {
  return [
    {
      method: "GET",
      pattern: "/api/v1/exchanges",
      access: "token",
      async handle({ response, query }) {
        const page = await store.list({
          filter: readFilter(query.get("filter")),
          limit: readNumber(query, "limit", {
            min: 1,
            max: MAX_LIMIT,
            absent: DEFAULT_LIMIT,
          }),
          before: readId(query, "before"),
        });
        sendJson(response, page);
      },
    },
    {
      method: "DELETE",
      pattern: "/api/v1/exchanges",
      access: "token",
      async handle({ response }) {
        await store.clear();
        sendNothing(response);
      },
    },
    {
      method: "GET",
      pattern: "/api/v1/exchanges/:id",
      access: "token",
      async handle({ response, params }) {
        sendJson(response, await findExchange(store, params["id"]));
      },
    },
    {
      method: "GET",
      pattern: "/api/v1/exchanges/:id/messages",
      access: "token",
      async handle({ response, params, query }) {
        const { id } = await findExchange(store, params["id"]);
        // `after` is the index of the last message that the caller knows.
        const after = query.has("after")
          ? readNumber(query, "after", { min: 0, max: 999_999_999, absent: 0 })
          : undefined;
        const items = (await store.messages(id, after)) ?? [];
        sendJson(response, {
          items: items.slice(0, MAX_MESSAGES),
          ...(items.length > MAX_MESSAGES && { more: true }),
        });
      },
    },
    {
      method: "GET",
      pattern: "/api/v1/exchanges/:id/:side/body",
      access: "token",
      async handle({ response, params, query }) {
        const { exchange, side, bytes, cut } = await findBody(store, params);
        const file = `${exchange.id}-${side}.bin`;
        if (query.get("decoded") !== "1")
          return sendBytes(response, bytes, file, truncation(cut));
        const decoded = await decodeBody(
          bytes,
          readHeader(exchange, side, "content-encoding"),
        );
        sendBytes(
          response,
          decoded.bytes,
          file,
          truncation(cut || decoded.truncated),
        );
      },
    },
    {
      method: "GET",
      pattern: "/api/v1/exchanges/:id/:side/view",
      access: "token",
      async handle({ response, params }) {
        const { exchange, side, bytes, cut } = await findBody(store, params);
        const view = await viewBody(
          readHeader(exchange, side, "content-type"),
          readHeader(exchange, side, "content-encoding"),
          bytes,
          cut,
        );
        sendJson(response, view);
      },
    },
  ];
}

const truncation = (cut: boolean): Record<string, string> =>
  cut ? { "X-Expose-Truncated": "1" } : {};

async function findBody(
  store: ExchangeStore,
  params: Readonly<Record<string, string>>,
) {
  const side = readSide(params["side"]);
  const exchange = await findExchange(store, params["id"]);
  const bodies = await store.bodies(exchange.id);
  if (!bodies)
    throw new ApiError("exchange-unknown", "The exchange has just gone.");
  const kept = exchange[side]?.body;
  const cut = kept !== undefined && kept.keptBytes < kept.bytes;
  return { exchange, side, bytes: bodies[side], cut };
}
