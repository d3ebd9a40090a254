// `expose logs [filter…]`: the requests that passed, as lines, and on request those that come.
import type { ExchangeSummary } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { CommandRun } from "../command.ts";
import {
  InspectorGoneError,
  type InspectorClient,
} from "../inspectors/client.ts";
import { openInspectors } from "../inspectors/find.ts";
import { listExchanges } from "../inspectors/list.ts";
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
    const items = await listExchanges(inspectors, filter, limit);
    // What is still under way is printed when it is through.
    print(items.filter(({ id, state }) => state !== "open" && !seen.has(id)));
    forgetOldest(seen);
  };

  try {
    if (!flags.follow) {
      print(await listExchanges(inspectors, filter, limit));
      return 0;
    }
    if (!inspectors.live)
      throw new ExposeError(
        "inspector-missing",
        "No client with an inspector is running, so nothing will come that could be followed.",
      );
    // A filter that is wrong is said at once.
    await listExchanges(inspectors, filter, 1);
    await followAll(inspectors.clients, printNew, signal);
    return 0;
  } finally {
    await inspectors.close();
  }
};

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
