// A worker process from its start to its end: takes messages of the primary, and does as they say.
import { EdgeError } from "../errors.ts";
import { stackOf } from "../parts/observe-all.ts";
import { createChannel } from "./channel.ts";
import type { ToPrimary, ToWorker, WorkerStart } from "./messages.ts";
import { createWorkerEdge, type WorkerEdge } from "./worker-edge.ts";

const LAST_WORDS_MS = 1_000;

/** Serves until the primary ends it, or is gone itself. */
export function runWorker(): void {
  let edge: Promise<WorkerEdge> | undefined;
  let cleanUp = (): void => {};
  const channel = createChannel<ToPrimary, ToWorker>(
    {
      send(message, done) {
        if (process.connected) process.send!(message, undefined, {}, done);
        else done(null);
      },
    },
    handle,
    dieOf,
  );
  process.on("message", (wire) => channel.receive(wire));
  // Nothing to serve for, and nobody to say what the names lead to.
  process.on("disconnect", () => process.exit());
  process.on("exit", () => cleanUp());
  // Ctrl-C and service managers tell all processes of a group; the primary says what is to be done.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {});
  process.on("uncaughtException", dieOf);
  channel.tell({ t: "hello" });

  // Messages come in the order in which they were sent, and all but the first mean an edge that is there.
  async function handle(message: ToWorker): Promise<unknown> {
    if (message.t === "start") return begin(message);
    const running = await edge;
    return running?.handle(message);
  }

  async function begin(start: WorkerStart): Promise<void> {
    process.title = `expose-edge worker ${start.worker}`;
    edge = createWorkerEdge(start, channel);
    try {
      const running = await edge;
      ({ cleanUp } = running);
      await running.start();
    } catch (error) {
      const { message } = error as Error;
      const code = error instanceof EdgeError ? error.code : undefined;
      // What could not be listened on may be free when the next one tries.
      endWith({ t: "failed", code, message });
    }
  }
}

// The state of a process that met a bug is unknown; the primary starts another.
function dieOf(bug: unknown): void {
  const fields = { error: stackOf(bug) };
  endWith({ t: "log", level: "error", message: "bug", fields });
}

// Ends the process when its last words have left, or cannot.
function endWith(message: ToPrimary): void {
  setTimeout(() => process.exit(1), LAST_WORDS_MS);
  if (process.connected)
    process.send!({ m: message }, undefined, {}, () => process.exit(1));
  else process.exit(1);
}
