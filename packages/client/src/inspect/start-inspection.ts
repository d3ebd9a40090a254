// Puts the inspector together: tap, store, server, and the features behind the server's routes. Loaded when the first
// tunnel is open, and only if the inspector is wanted.
import { join } from "node:path";
import type { InspectOptions } from "../options.ts";
import type { ExchangeStore } from "./capture.ts";
import { startInspector } from "./server/inspector.ts";
import type { InspectedTunnel, InspectorOptions } from "./server/inspected.ts";
import { createStore } from "./store/create-store.ts";
import { createTap, type Tap } from "./tap/create-tap.ts";

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
  /** Tells the page that something about the tunnels has changed. */
  statusChanged(): void;
  /** Frees the port and writes what is not on disk yet. Connections go on. Idempotent. */
  close(): Promise<void>;
}

/** Starts the inspector. What goes wrong is said through `warn`, and the tunnel goes on without that part. */
export async function startInspection(
  options: InspectionOptions,
): Promise<Inspection> {
  const { settings, warn } = options;
  const store = createStore();
  const tap = createTap(store, {
    maxBodyBytes: settings.history?.maxBodyBytes,
  });
  const server = await startInspector({
    store,
    tunnels: options.tunnels,
    port: settings.port,
    avoidPorts: options.avoidPorts,
    runFolder: join(options.stateFolder, "run"),
    ...(settings.history?.maxBodyBytes !== undefined && {
      maxBodyBytes: settings.history.maxBodyBytes,
    }),
    ...(options.openUpstream && { openUpstream: options.openUpstream }),
  }).catch((error: unknown) => {
    warn(
      `The inspector's page is not there: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  });
  return {
    tap,
    store,
    url: server?.url,
    statusChanged: () => server?.statusChanged(),
    async close() {
      await server?.close();
      await store.close();
    },
  };
}
