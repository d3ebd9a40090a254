// Lists the exchanges of all clients.
import type { ExchangePage, ExchangeSummary } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { Inspectors } from "./find.ts";

/**
 * The newest that match, oldest first, each once although several clients know it.
 *
 * @throws ExposeError `filter-invalid`
 */
export async function listExchanges(
  { clients }: Inspectors,
  filter: string,
  limit: number,
): Promise<ExchangeSummary[]> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (filter.trim() !== "") query.set("filter", filter);
  const pages = await Promise.all(
    clients.map((client) =>
      client.get<ExchangePage>(`/api/v1/exchanges?${query.toString()}`),
    ),
  );
  const byId = new Map<string, ExchangeSummary>();
  for (const { items } of pages)
    for (const item of items) {
      const known = byId.get(item.id);
      if (!known || known.state === "open") byId.set(item.id, item);
    }
  return [...byId.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(-limit);
}

/**
 * @returns ids of the newest that match, oldest first
 * @throws ExposeError `exchange-unknown` when there is none, `filter-invalid`
 */
export async function findLatest(
  inspectors: Inspectors,
  filter: string,
  count: number,
): Promise<string[]> {
  const newest = await listExchanges(inspectors, filter, count);
  if (newest.length > 0) return newest.map(({ id }) => id);
  throw new ExposeError(
    "exchange-unknown",
    "No request matches. `expose logs` lists those that there are.",
  );
}

/** The id that a person means: their own word, or that of the newest for `last`. @throws ExposeError `exchange-unknown` */
export const resolveId = async (
  inspectors: Inspectors,
  wanted: string,
): Promise<string> =>
  wanted === "last" ? (await findLatest(inspectors, "", 1))[0]! : wanted;
