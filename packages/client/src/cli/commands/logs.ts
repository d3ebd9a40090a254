// `expose logs [filter…]`: the requests that passed, as lines, and on request those that come.
import type { ExchangePage, ExchangeSummary } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { CommandRun } from "../command.ts";
import {
  InspectorGoneError,
  type InspectorClient,
} from "../inspectors/client.ts";
import { openInspectors, type Inspectors } from "../inspectors/find.ts";
import { parseCount } from "../parse-count.ts";
import { encodeEvent } from "../output/json.ts";
import { formatExchange } from "../output/exchange-line.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;

export const run: CommandRun = async (context, words, flags) => {
  const { io, signal } = context;
  const filter = words.join(" ");
  const limit = parseCount("--limit", flags.limit, DEFAULT_LIMIT, MAX_LIMIT);
  const inspectors = await openInspectors(context);
  const tunnels = new Set<string>();
  const seen = new Set<string>();

  const print = (items: readonly ExchangeSummary[]): void => {
    for (const item of items) tunnels.add(item.tunnel);
    for (const item of items) {
      seen.add(item.id);
      io.stdout.write(
        flags.json
          ? encodeEvent("exchange", new Date(item.startedAt), { ...item })
          : `${formatExchange(item, { withTunnel: tunnels.size > 1 })}\n`,
      );
    }
  };
  const printNew = async (): Promise<void> => {
    const items = await list(inspectors, filter, limit);
    // What is still under way is printed when it is through.
    print(items.filter(({ id, state }) => state !== "open" && !seen.has(id)));
    forgetOldest(seen);
  };

  try {
    if (!flags.follow) {
      print(await list(inspectors, filter, limit));
      return 0;
    }
    if (!inspectors.live)
      throw new ExposeError(
        "inspector-missing",
        "No client with an inspector is running, so nothing will come that could be followed.",
      );
    // A filter that is wrong is said at once.
    await list(inspectors, filter, 1);
    await followAll(inspectors.clients, printNew, signal);
    return 0;
  } finally {
    await inspectors.close();
  }
};

/** The newest that match, oldest first, each once although several clients know it. */
async function list(
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

// Asks for the list again when something has happened, one look at a time.
async function followAll(
  clients: readonly InspectorClient[],
  look: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let looking: Promise<void> | undefined;
  let again = false;
  const failed = new AbortController();
  let failure: Error | undefined;
  const lookSoon = (): void => {
    if (looking) {
      again = true;
      return;
    }
    looking = look()
      .catch((error: unknown) => {
        // Its stream ends too, and with the last one the command.
        if (error instanceof InspectorGoneError) return;
        failure ??= error instanceof Error ? error : new Error(String(error));
        failed.abort();
      })
      .finally(() => {
        looking = undefined;
        if (!again || failed.signal.aborted) return;
        again = false;
        lookSoon();
      });
  };
  await Promise.all(
    clients.map((client) => client.follow(lookSoon, failed.signal)),
  );
  while (looking) await looking;
  if (failure !== undefined && !signal.aborted) throw failure;
}

const MAX_SEEN = 20_000;

function forgetOldest(seen: Set<string>): void {
  for (const id of seen) {
    if (seen.size <= MAX_SEEN) return;
    seen.delete(id);
  }
}
