// Compares the responses of two exchanges.
import type { Exchange } from "@expose/protocol";
import type { ExchangeStore } from "../../capture.ts";
import { decodeBody } from "../../decode/decode-body.ts";
import { compareResponses, type ComparedSide } from "../../diff/compare.ts";
import { ApiError } from "../api-error.ts";
import { sendJson } from "../respond.ts";
import type { Route } from "../router.ts";
import { findExchange, readHeader, readId } from "./parameters.ts";

export function compareRoutes(store: ExchangeStore): Route[] {
  return [
    {
      method: "GET",
      pattern: "/api/v1/compare",
      access: "token",
      async handle({ response, query }) {
        const [left, right] = [readId(query, "left"), readId(query, "right")];
        if (left === undefined || right === undefined)
          throw new ApiError(
            "request-invalid",
            "Say which two: /api/v1/compare?left=ID&right=ID.",
          );
        const [a, b] = await Promise.all(
          [left, right].map(async (id) =>
            loadSide(store, await findExchange(store, id)),
          ),
        );
        sendJson(response, compareResponses(a!, b!));
      },
    },
  ];
}

// @throws ApiError `exchange-unknown`
async function loadSide(
  store: ExchangeStore,
  exchange: Exchange,
): Promise<ComparedSide> {
  const bodies = await store.bodies(exchange.id);
  if (!bodies)
    throw new ApiError("exchange-unknown", "The exchange has just gone.");
  return decodeSide(exchange, bodies.response);
}

/** A side whose body is at hand. What cannot be decoded is compared as it passed. */
export async function decodeSide(
  exchange: Exchange,
  bytes: Buffer,
): Promise<ComparedSide> {
  const kept = exchange.response?.body;
  const decoded = await decodeBody(
    bytes,
    readHeader(exchange, "response", "content-encoding"),
  );
  return {
    exchange,
    body: decoded.bytes,
    truncated:
      decoded.truncated || (kept !== undefined && kept.keptBytes < kept.bytes),
  };
}
