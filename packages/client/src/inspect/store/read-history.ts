// The history of earlier runs, for commands that run while no client does.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ExchangeStore } from "../capture.ts";
import { createStore } from "./create-store.ts";
import { openHistory } from "./disk/open-history.ts";

/** Name of the history's file in the state folder. */
export const HISTORY_FILE = "history.sqlite";

/** Where the history is, and who hears of trouble with it. */
export interface ReadHistoryOptions {
  readonly stateFolder: string;
  /** Sentences that are safe for a terminal. */
  warn(sentence: string): void;
  /** Default: the one beside the bundle. */
  readonly workerFile?: string | URL | undefined;
}

/**
 * Opens the history without taking part in it: nothing is captured. Clients that run go on writing. Whoever opens it
 * closes it.
 */
export function readHistory({
  stateFolder,
  warn,
  workerFile,
}: ReadHistoryOptions): ExchangeStore {
  const file = join(stateFolder, HISTORY_FILE);
  if (!existsSync(file))
    return createStore({ memoryOnlyBecause: `there is no ${file} yet` });
  return createStore({
    history: openHistory({
      file,
      // Bounds are for those who write.
      keepSecrets: true,
      maxBytes: Number.MAX_SAFE_INTEGER,
      maxExchanges: Number.MAX_SAFE_INTEGER,
      maxAgeMs: Number.MAX_SAFE_INTEGER,
      warn,
      workerFile,
    }),
  });
}
