// Finds who can be asked about exchanges: the inspectors of this user's running clients, which still know the secrets of
// their run, or else the history on disk.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Exchange, InspectorStatus } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import { readRunFiles } from "../../inspect/run-file.ts";
import { startInspector } from "../../inspect/server/inspector.ts";
import { HISTORY_FILE, readHistory } from "../../inspect/store/read-history.ts";
import { createWebhooks } from "../../inspect/webhooks/create-webhooks.ts";
import { runFolder } from "../../own-inspector.ts";
import { openReplayUpstream } from "../../replay-upstream.ts";
import { escapeForTerminal, escapeLines } from "../output/escape.ts";
import type { CommandContext } from "../command.ts";
import { createInspectorClient, type InspectorClient } from "./client.ts";

/** Those who can be asked. */
export interface Inspectors {
  /** Newest first; at least one. */
  readonly clients: readonly InspectorClient[];
  /** Whether they are running clients, and not only the history on disk. */
  readonly live: boolean;
  close(): Promise<void>;
}

// One that is busy answers later than usual; one that was suspended (Ctrl-Z) never does, and takes connections.
const PATIENCE_MS = 5_000;

/**
 * @param patienceMs how long a client may take to say that it is there
 * @throws ExposeError `inspector-missing` when no client runs and there is no history
 */
export async function openInspectors(
  { io, signal }: Pick<CommandContext, "io" | "signal">,
  patienceMs = PATIENCE_MS,
): Promise<Inspectors> {
  const running = await readRunFiles(runFolder(io.env));
  const asked = await Promise.all(
    running.map(async (inspector) => {
      const patience = AbortSignal.timeout(patienceMs);
      const either = AbortSignal.any([signal, patience]);
      try {
        await createInspectorClient(inspector, either).get("/api/v1/status");
        return createInspectorClient(inspector, signal);
      } catch {
        signal.throwIfAborted();
        if (patience.aborted)
          io.stderr.write(
            `expose: The client at ${escapeForTerminal(inspector.url)} does not answer, and is left out.\n`,
          );
        // Else a file that a process left behind whose number another one has now, or a client that is just closing.
        return undefined;
      }
    }),
  );
  const clients = asked.filter((client) => client !== undefined);
  if (clients.length > 0) return { clients, live: true, async close() {} };
  const history = await openHistoryInspector(io, signal);
  if (history) return history;
  throw new ExposeError(
    "inspector-missing",
    "No client with an inspector is running, and there is no history of earlier ones. Start one with `expose 8080`.",
  );
}

// Nobody runs: the history on disk is served by an inspector of our own, for as long as the command takes. It can repeat
// requests as well, without what the history does not keep.
async function openHistoryInspector(
  io: CommandContext["io"],
  signal: AbortSignal,
): Promise<Inspectors | undefined> {
  const stateFolder = dirname(runFolder(io.env));
  if (!existsSync(join(stateFolder, HISTORY_FILE))) return undefined;
  const warn = (sentence: string): void =>
    void io.stderr.write(`expose: ${escapeLines(sentence)}\n`);
  const store = readHistory({ stateFolder, warn });
  const inspector = await startInspector({
    store,
    tunnels: () => [],
    port: 0,
    openUpstream: openReplayUpstream,
    webhooks: createWebhooks({ env: io.env }),
  });
  return {
    clients: [createInspectorClient(inspector, signal)],
    live: false,
    async close() {
      await inspector.close();
      await store.close();
    },
  };
}

/**
 * Finds an exchange, and the client that knows most of it.
 *
 * @throws ExposeError `exchange-unknown`
 */
export async function findExchange(
  { clients }: Inspectors,
  id: string,
): Promise<{ client: InspectorClient; exchange: Exchange }> {
  const knowing = [];
  for (const client of clients) {
    const exchange = await getExchange(client, id);
    if (exchange) knowing.push({ client, exchange });
  }
  const [first] = knowing;
  if (first && knowing.length === 1) return first;
  // All of them read the history; the one that has the tunnel open dials as the tunnel does.
  const ranked = await Promise.all(
    knowing.map(async (each) => {
      const { tunnels } =
        await each.client.get<InspectorStatus>("/api/v1/status");
      const hasTunnel = tunnels.some(
        ({ name }) => name === each.exchange.tunnel,
      );
      const complete = each.exchange.redacted.length === 0;
      return { each, rank: 2 * Number(complete) + Number(hasTunnel) };
    }),
  );
  const [best] = ranked.sort((a, b) => b.rank - a.rank);
  if (best) return best.each;
  throw new ExposeError(
    "exchange-unknown",
    `There is no exchange ${id}; it may have left the history. \`expose logs\` lists those that there are.`,
  );
}

async function getExchange(
  client: InspectorClient,
  id: string,
): Promise<Exchange | undefined> {
  try {
    return await client.get<Exchange>(
      `/api/v1/exchanges/${encodeURIComponent(id)}`,
    );
  } catch (error) {
    if (error instanceof ExposeError && error.code === "exchange-unknown")
      return undefined;
    throw error;
  }
}
