// Finds the newest exchanges of all clients.
import type { ExchangePage } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { Inspectors } from "./find.ts";

/**
 * @returns ids, oldest first
 * @throws ExposeError `exchange-unknown` when there is none, `filter-invalid`
 */
export async function findLatest(
  { clients }: Inspectors,
  filter: string,
  count: number,
): Promise<string[]> {
  const query = new URLSearchParams({ limit: String(count) });
  if (filter.trim() !== "") query.set("filter", filter);
  const pages = await Promise.all(
    clients.map((client) =>
      client.get<ExchangePage>(`/api/v1/exchanges?${query.toString()}`),
    ),
  );
  const ids = pages.flatMap(({ items }) => items.map(({ id }) => id));
  const newest = [...new Set(ids)].sort().slice(-count);
  if (newest.length > 0) return newest;
  throw new ExposeError(
    "exchange-unknown",
    "No request matches. `expose logs` lists those that there are.",
  );
}
