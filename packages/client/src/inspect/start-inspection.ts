// Puts the inspector together: tap, store, server, and the features behind the server's routes. Loaded when the first
// tunnel is open, and only if the inspector is wanted.
import { join } from "node:path";
import { ExposeError, messageOf } from "../errors.ts";
import type { InspectOptions } from "../options.ts";
import type { ExchangeStore } from "./capture.ts";
import { startInspector } from "./server/inspector.ts";
import type { InspectedTunnel, InspectorOptions } from "./server/inspected.ts";
import { createStore } from "./store/create-store.ts";
import { HISTORY_FILE } from "./store/read-history.ts";
import { openHistory } from "./store/disk/open-history.ts";
import type { History } from "./store/history.ts";
import { createTap, type Tap } from "./tap/create-tap.ts";
import { createWebhooks, type Webhooks } from "./webhooks/create-webhooks.ts";

/** What the composition root hands over. */
export interface InspectionOptions extends Pick<
  InspectorOptions,
  "openUpstream" | "avoidPorts"
> {
  readonly settings: InspectOptions;
  /** Folder for what outlives a run; made when it is missing. */
  readonly stateFolder: string;
  tunnels(): readonly InspectedTunnel[];
  /** Hears what a person should know, in sentences that are safe for a terminal. */
  warn(sentence: string): void;
}

/** An inspector that runs. */
export interface Inspection {
  readonly tap: Tap;
  readonly store: ExchangeStore;
  /** `http://127.0.0.1:4040`; absent when no port could be had. */
  readonly url: string | undefined;
  /** Frees the port and writes what is not on disk yet. Connections go on. Idempotent. */
  close(): Promise<void>;
}

/** Starts the inspector. What goes wrong is said through `warn`, and the tunnel goes on without that part. */
export async function startInspection(
  options: InspectionOptions,
): Promise<Inspection> {
  const { settings, warn } = options;
  const webhooks = openWebhooks(settings, warn);
  const history = openHistoryOf(options);
  const store = createStore({ explain: webhooks.explain, history });
  const tap = createTap(store, {
    maxBodyBytes: settings.history?.maxBodyBytes,
  });
  const server = await startInspector({
    store,
    tunnels: options.tunnels,
    webhooks,
    port: settings.port,
    apiToken: settings.apiToken,
    warn,
    onError(error) {
      // Whoever asked is told that it is a bug; what it is about may quote what was captured.
      if (process.env["EXPOSE_DEBUG"])
        warn(
          `inspector: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
    },
    avoidPorts: options.avoidPorts,
    runFolder: join(options.stateFolder, "run"),
    ...(settings.history?.maxBodyBytes !== undefined && {
      maxBodyBytes: settings.history.maxBodyBytes,
    }),
    ...(options.openUpstream && { openUpstream: options.openUpstream }),
  }).catch((error: unknown) => {
    warn(`The inspector's page is not there: ${messageOf(error)}`);
    return undefined;
  });
  return {
    tap,
    store,
    url: server?.url,
    async close() {
      await server?.close();
      await store.close();
    },
  };
}

const MAX_BYTES = 256 * 1_024 * 1_024;
const MAX_EXCHANGES = 50_000;
const MAX_AGE_DAYS = 7;
const DAY_MS = 24 * 60 * 60 * 1_000;

function openHistoryOf({
  settings,
  stateFolder,
  warn,
}: InspectionOptions): History | undefined {
  const { history = {}, keepSecrets = false } = settings;
  if (history.enabled === false) return undefined;
  return openHistory({
    file: join(stateFolder, HISTORY_FILE),
    keepSecrets,
    maxBytes: history.maxBytes ?? MAX_BYTES,
    maxExchanges: history.maxExchanges ?? MAX_EXCHANGES,
    maxAgeMs: (history.maxAgeDays ?? MAX_AGE_DAYS) * DAY_MS,
    warn,
  });
}

// Mistakes in the configuration of webhooks take away what they are about, and nothing else.
function openWebhooks(
  { webhooks }: InspectOptions,
  warn: InspectionOptions["warn"],
): Webhooks {
  try {
    return createWebhooks({ env: process.env, settings: webhooks });
  } catch (error) {
    if (!(error instanceof ExposeError)) throw error;
    warn(error.message);
    return createWebhooks({ env: process.env });
  }
}
