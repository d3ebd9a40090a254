// Reads what routes are given in paths and queries.
import type { Exchange } from "@expose/protocol";
import type { ExchangeFilter, ExchangeStore } from "../../capture.ts";
import { parseFilter } from "../../filter/parse-filter.ts";
import { joinedValueOf } from "../../header-values.ts";
import { ApiError } from "../api-error.ts";

const ID = /^[0-9A-Za-z]{26}$/;

/** @throws ApiError `exchange-unknown` */
export async function findExchange(
  store: ExchangeStore,
  id: string | undefined,
): Promise<Exchange> {
  // An id of another form is none of ours: the store is not even asked.
  const exchange =
    id !== undefined && ID.test(id) ? await store.get(id) : undefined;
  if (exchange) return exchange;
  throw new ApiError(
    "exchange-unknown",
    "There is no such exchange; it may have left the history.",
  );
}

/** @throws ApiError `request-invalid` for what is no whole number within the bounds */
export function readNumber(
  query: URLSearchParams,
  name: string,
  bounds: {
    readonly min: number;
    readonly max: number;
    readonly absent: number;
  },
): number {
  const text = query.get(name);
  if (text === null || text === "") return bounds.absent;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new ApiError(
    "request-invalid",
    `${name} must be a whole number from ${bounds.min} to ${bounds.max}.`,
  );
}

/** @throws ApiError `request-invalid` for what is no id */
export function readId(
  query: URLSearchParams,
  name: string,
): string | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (ID.test(text)) return text;
  throw new ApiError(
    "request-invalid",
    `${name} must be the id of an exchange.`,
  );
}

/** @throws FilterError */
export function readFilter(
  text: string | null | undefined,
): ExchangeFilter | undefined {
  if (text === null || text === undefined || text.trim() === "")
    return undefined;
  return parseFilter(text);
}

/** @throws ApiError `request-invalid` */
export function readSide(text: string | undefined): "request" | "response" {
  if (text === "request" || text === "response") return text;
  throw new ApiError(
    "request-invalid",
    "A body is that of the request or of the response.",
  );
}

/** A header of one side. */
export function readHeader(
  exchange: Exchange,
  side: "request" | "response",
  name: string,
): string | undefined {
  return joinedValueOf(exchange[side]?.headers ?? [], name);
}
