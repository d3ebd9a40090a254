// All workloads, in the order in which `all` runs them.
import type { Workload } from "../model.ts";
import { loadWorkloads } from "./load.ts";
import { memoryWebSockets } from "./memory-websockets.ts";
import { memory } from "./memory.ts";
import { startUpWorkloads } from "./start-up.ts";
import { streamWorkloads } from "./stream.ts";
import { wanWorkloads } from "./wan.ts";

/** See the file's head. */
export const workloads: readonly Workload[] = [
  ...loadWorkloads,
  ...streamWorkloads,
  ...startUpWorkloads,
  memory,
  memoryWebSockets,
  ...wanWorkloads,
];
