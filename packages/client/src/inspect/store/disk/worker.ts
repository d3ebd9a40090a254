// The worker thread that owns the history file: nothing that a stream waits for happens here.
import { readlinkSync, statfsSync } from "node:fs";
import { setPriority } from "node:os";
import { dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import {
  openHistoryFile,
  type HistoryFileOptions,
  type Row,
  type Totals,
} from "./history-file.ts";
import { TurnError } from "./turn.ts";
import type { Addition, Call, Failure, Report } from "./wire.ts";

const options = workerData as HistoryFileOptions;
const port = parentPort!;
const history = openHistoryFile(options, (path) =>
  report({ movedAside: path }),
);

stepBack();
let waiting: Row[] = [];

port.on("message", (call: Call | Addition) => {
  if ("rows" in call) {
    waiting.push(...call.rows);
    return;
  }
  try {
    report({ call: call.call, value: answer(call) });
  } catch (error) {
    report({ call: call.call, failure: explain(error) });
  }
  if (call.what === "close") port.close();
});

function answer(call: Call): unknown {
  switch (call.what) {
    case "write":
      return writeWaiting();
    case "list":
      return history.list(call.limit, call.before);
    case "get":
      return history.get(call.id);
    case "bodies":
      return history.bodies(call.id);
    case "messages":
      return history.messages(call.id);
    case "clear":
      waiting = [];
      return history.clear();
    case "totals":
      return history.totals();
    case "close":
      return undefined;
  }
}

// Whatever comes of it, they are not tried again: they are still in memory, and the next ones may be luckier.
function writeWaiting(): Totals {
  const rows = waiting;
  waiting = [];
  return history.write(rows);
}

// Where there is not enough of the processor for all, the streams go first. Linux knows priorities of threads.
function stepBack(): void {
  try {
    const thread = /\d+$/.exec(readlinkSync("/proc/thread-self"))?.[0];
    if (thread !== undefined) setPriority(Number(thread), 10);
  } catch {
    // Elsewhere it is a thread like the others.
  }
}

function report(what: Report): void {
  port.postMessage(what);
}

function explain(error: unknown): Failure {
  if (error instanceof TurnError)
    return { kind: "turn", reason: "another process keeps it" };
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: "other",
    reason: isDiskFull() ? "the disk is full" : message.replace(/\.$/, ""),
  };
}

// SQLite says "disk I/O error" for it.
function isDiskFull(): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(options.file));
    return bavail * bsize < 64 * 1_024;
  } catch {
    return false;
  }
}
