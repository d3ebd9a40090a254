// Entry of a worker process, which the primary starts (workers/pool.ts). It takes no arguments.
import { runWorker } from "./workers/run-worker.ts";

runWorker();
