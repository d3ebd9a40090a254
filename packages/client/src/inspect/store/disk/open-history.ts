// The client's end of the history: hands everything to a worker thread, which is started with the first thing to do.
import { Worker } from "node:worker_threads";
import type { Exchange, ExchangeMessage } from "@expose/protocol";
import { messageOf } from "../../../errors.ts";
import type { StoredBodies, StoredExchange } from "../../capture.ts";
import { createRateBudget } from "../../rate-budget.ts";
import type { History } from "../history.ts";
import type { HistoryFileOptions, Row, Totals } from "./history-file.ts";
import type { Addition, Failure, Question, Report } from "./wire.ts";
import { withoutBodies } from "./without-bodies.ts";

/** Settings of {@link openHistory}. */
export interface HistoryOptions extends HistoryFileOptions {
  /** How many exchanges are written. Default: 50 a second, 500 after a quiet time. */
  readonly rows?: { perSecond: number; burst: number } | undefined;
  /** Default: the one beside the bundle. */
  readonly workerFile?: string | URL | undefined;
  /** Hears once why there is no history on disk any more, and of files moved aside: sentences for a terminal. */
  warn(sentence: string): void;
}

// Between two writes: each opens the file, which costs ten milliseconds of the worker's time.
const WRITE_EVERY_MS = 500;
// What may be on its way to the disk. Where it is slower than what comes, bodies are left out first, then exchanges.
const MAX_WAITING_BYTES = 32 * 1_024 * 1_024;
// Another process keeps its turn for that long, or a disk does not answer: then it is over for this run.
const MAX_TURN_FAILURES = 4;
// A row takes a sixth of a millisecond of the worker's time. Of a flood that is sampled anyway the history has fewer.
const ROWS = { perSecond: 50, burst: 500 };
const CLOSE_MS = 5_000;
const ROW_BYTES = 2_048;

/** Prepares a history. Nothing is opened yet. */
export function openHistory(options: HistoryOptions): History {
  const { workerFile, warn, rows: _rows, ...fileOptions } = options;
  const calls = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void }
  >();
  let worker: Worker | undefined;
  let lastCall = 0;
  let waitingRows = 0;
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> | undefined;
  let turnFailures = 0;
  const budget = createRateBudget(options.rows ?? ROWS);
  let failure: string | undefined;
  let totals: Totals = { exchanges: 0, bytes: 0 };
  let closing: Promise<void> | undefined;

  return {
    write(records) {
      if (failure !== undefined || closing) return;
      add(records.flatMap((record) => take(record) ?? []));
      schedule();
    },
    list: async (limit, before) =>
      ((await read({ what: "list", limit, before })) as
        Exchange[] | undefined) ?? [],
    get: async (id) =>
      (await read({ what: "get", id })) as Exchange | undefined,
    bodies: async (id) => asBuffers(await read({ what: "bodies", id })),
    messages: async (id) =>
      (await read({ what: "messages", id })) as
        readonly ExchangeMessage[] | undefined,
    async clear() {
      const after = await read({ what: "clear" });
      if (after) totals = after as Totals;
    },
    get exchanges() {
      return totals.exchanges;
    },
    get bytes() {
      return totals.bytes;
    },
    file: options.file,
    get failure() {
      return failure;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };

  // At once and in small heaps: all of half a second at a time would make the streams wait.
  function add(rows: readonly Row[]): void {
    if (rows.length === 0) return;
    waitingRows += rows.length;
    try {
      (worker ??= start()).postMessage(
        { rows } satisfies Addition,
        rows.flatMap(({ request, response }) => [
          request.buffer,
          response.buffer,
        ]),
      );
    } catch (error) {
      fail(messageOf(error));
    }
  }

  function take({
    exchange,
    bodies,
    messages,
  }: StoredExchange): Row | undefined {
    if (!budget.admit()) return undefined;
    const { request, response } = bodies;
    const size = request.length + response.length + sizeOf(messages);
    const withBodies = waitingBytes + size <= MAX_WAITING_BYTES;
    const room = waitingBytes + ROW_BYTES <= 2 * MAX_WAITING_BYTES;
    if (!room) return undefined;
    waitingBytes += ROW_BYTES + (withBodies ? size : 0);
    return withBodies
      ? {
          exchange,
          request: alone(request),
          response: alone(response),
          messages,
        }
      : {
          exchange: withoutBodies(exchange),
          request: new Uint8Array(),
          response: new Uint8Array(),
          messages: [],
        };
  }

  function schedule(): void {
    if (timer || flushing || waitingRows === 0 || failure !== undefined) return;
    timer = setTimeout(() => void flush(), WRITE_EVERY_MS);
    timer.unref();
  }

  function flush(): Promise<void> {
    flushing ??= writeWaiting().finally(() => {
      flushing = undefined;
      schedule();
    });
    return flushing;
  }

  async function writeWaiting(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (waitingRows === 0 || failure !== undefined) return;
    const bytes = waitingBytes;
    waitingRows = 0;
    try {
      totals = (await call({ what: "write" })) as Totals;
      turnFailures = 0;
    } catch (error) {
      if (isPassing(error)) turnFailures++;
      if (!isPassing(error) || turnFailures >= MAX_TURN_FAILURES)
        fail(messageOf(error));
    }
    waitingBytes = Math.max(0, waitingBytes - bytes);
  }

  // What was not written yet is to be found too. What cannot be read is not there.
  async function read(what: Question): Promise<unknown> {
    await flushing;
    await flush();
    if (failure !== undefined) return undefined;
    try {
      return await call(what);
    } catch (error) {
      if (!isPassing(error)) fail(messageOf(error));
      return undefined;
    }
  }

  function call(what: Question): Promise<unknown> {
    const number = ++lastCall;
    return new Promise((resolve, reject) => {
      calls.set(number, { resolve, reject });
      (worker ??= start()).postMessage({ ...what, call: number });
    });
  }

  function start(): Worker {
    const started = new Worker(
      workerFile ?? new URL("./history-worker.cjs", import.meta.url),
      {
        workerData: fileOptions,
        // Flags of the program (a profiler's, a loader's) are none of its business.
        execArgv: [],
        resourceLimits: { maxOldGenerationSizeMb: 128 },
      },
    );
    // It may not keep the process alive; close() waits for it.
    started.unref();
    started.on("message", (report: Report) => hear(report));
    started.on("error", (error) => lose(error.message));
    started.on("exit", () => lose("its worker ended"));
    return started;
  }

  function hear(report: Report): void {
    if ("movedAside" in report)
      return warn(
        `The inspector's history could not be read and was moved to ${report.movedAside}; a new one is begun.`,
      );
    const waiter = calls.get(report.call);
    calls.delete(report.call);
    if ("failure" in report) waiter?.reject(new CallError(report.failure));
    else waiter?.resolve(report.value);
  }

  function lose(reason: string): void {
    const waiters = [...calls.values()];
    calls.clear();
    worker = undefined;
    for (const { reject } of waiters)
      reject(new CallError({ kind: "other", reason }));
  }

  function fail(reason: string): void {
    if (failure !== undefined) return;
    failure = `the history ${options.file} cannot be used: ${reason}`;
    waitingRows = 0;
    waitingBytes = 0;
    warn(
      `The inspector keeps this run in memory only: ${failure}. The tunnel goes on.`,
    );
  }

  async function close(): Promise<void> {
    await flushing;
    await flush();
    const ending = worker;
    if (!ending) return;
    ending.ref();
    ending.postMessage({ what: "close", call: ++lastCall });
    await new Promise<void>((resolve) => {
      // A disk that does not answer keeps the thread where nothing reaches it: it ends with the process.
      const patience = setTimeout(() => {
        ending.unref();
        void ending.terminate();
        resolve();
      }, CLOSE_MS);
      ending.once("exit", () => {
        clearTimeout(patience);
        resolve();
      });
    });
  }
}

class CallError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.reason);
    this.failure = failure;
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof CallError && error.failure.kind === "turn";

// With a piece of a pool the whole pool would travel to the worker.
const alone = (bytes: Buffer): Uint8Array<ArrayBuffer> =>
  bytes.length === bytes.buffer.byteLength && bytes.length > 0
    ? (bytes as Buffer<ArrayBuffer>)
    : new Uint8Array(bytes);

const sizeOf = (messages: readonly ExchangeMessage[]): number =>
  messages.reduce((sum, { data }) => sum + data.length + 200, 0);

// Structured clones of buffers arrive as bare arrays.
function asBuffers(value: unknown): StoredBodies | undefined {
  const bodies = value as
    { request: Uint8Array; response: Uint8Array } | undefined;
  return (
    bodies && {
      request: asBuffer(bodies.request),
      response: asBuffer(bodies.response),
    }
  );
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
