// The worker processes: starts them, starts another in place of one that dies, and carries messages.
import cluster, { type Worker } from "node:cluster";
import { fileURLToPath } from "node:url";
import type { ListenAddress } from "../config/values.ts";
import { EdgeError, edgeErrorCodes, type EdgeErrorCode } from "../errors.ts";
import { stackOf } from "../parts/observe-all.ts";
import type { Log } from "../util/log.ts";
import { createChannel, type Channel } from "./channel.ts";
import type { ToPrimary, ToWorker, WorkerStart } from "./messages.ts";

/** What the pool needs. */
export interface WorkerPoolOptions {
  readonly count: number;
  /** What a worker is made from, at the moment that it begins. */
  readonly startOf: (worker: number) => WorkerStart;
  /** Takes a message of a worker. @returns the answer, or a promise of it */
  readonly handle: (worker: number, message: ToPrimary) => unknown;
  /** A worker has died, or was ended. Nothing comes from it any more. */
  readonly gone: (worker: number) => void;
  readonly log: Log;
}

/** The workers of one edge. */
export interface WorkerPool {
  /** Resolves when all of them serve. @throws EdgeError when one cannot */
  start(): Promise<void>;
  /** Where they listen; all share the same addresses. */
  readonly addresses: {
    readonly http: readonly ListenAddress[];
    readonly ssh: readonly ListenAddress[];
  };
  /** Those that serve now, and how many took the place of one that died. */
  readonly counts: { readonly ready: number; readonly restarts: number };
  /** Those that take messages now. */
  readonly numbers: readonly number[];
  tell(worker: number, message: ToWorker): void;
  tellAll(message: ToWorker): void;
  /** Asks each. @returns what they answered by their numbers; those that died or took too long are missing. Never rejects */
  askAll<Answer>(
    message: ToWorker,
    patienceMs: number,
  ): Promise<Map<number, Answer>>;
  /** No worker is started any more in place of another. */
  stopReplacing(): void;
  /** Ends all: those that do not go by themselves are killed. Idempotent. */
  close(): Promise<void>;
}

interface Member {
  readonly worker: Worker;
  readonly channel: Channel<ToWorker>;
  readonly startedAt: number;
  /** It was told what it is made from, and hears of all that follows. */
  joined: boolean;
  ready: boolean;
  readonly gone: Promise<void>;
}

// One that dies as soon as it lives must not keep the processor busy with its successors.
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
const SETTLED_MS = 10_000;
const START_MS = 30_000;
const STOP_MS = 3_000;

/** Builds the pool; no process is started yet. @throws EdgeError `config-invalid` inside of somebody else's cluster */
export function createWorkerPool(options: WorkerPoolOptions): WorkerPool {
  if (!cluster.isPrimary)
    throw new EdgeError(
      "config-invalid",
      "workers: an edge that runs in a worker of node:cluster cannot have workers of its own; set workers to 1.",
    );
  const { count, log } = options;
  const members = new Map<number, Member>();
  const timers = new Set<NodeJS.Timeout>();
  let addresses: WorkerPool["addresses"] = { http: [], ssh: [] };
  let last = 0;
  let restarts = 0;
  let failures = 0;
  let replacing = true;
  let starting:
    | { left: number; resolve: () => void; reject: (error: Error) => void }
    | undefined;
  let closing: Promise<void> | undefined;

  function begin(): void {
    const number = ++last;
    const worker = fork();
    const channel = createChannel<ToWorker, ToPrimary>(
      {
        send: (message, done) => {
          if (worker.isConnected()) worker.send(message, undefined, done);
          else done(null);
        },
      },
      (message) => receive(number, message),
      // Every tunnel of the edge hangs on this process, and it can do without that message.
      (error) => log.error("bug", { worker: number, error: stackOf(error) }),
    );
    let left = (): void => {};
    const gone = new Promise<void>((resolve) => (left = resolve));
    const member: Member = {
      ...{ worker, channel, gone, joined: false, ready: false },
      startedAt: performance.now(),
    };
    members.set(number, member);
    worker.on("message", (wire: unknown) => {
      // What is still in the pipe of a process that has gone is not heard: nobody would take it back.
      if (members.has(number)) channel.receive(wire);
    });
    // Of the pipe; the process' end follows.
    worker.on("error", () => {});
    worker.once("exit", (code, signal) => {
      ended(number, member, signal ?? `status ${code}`);
      left();
    });
  }

  function receive(number: number, message: ToPrimary): unknown {
    const member = members.get(number)!;
    switch (message.t) {
      case "hello":
        member.joined = true;
        return member.channel.tell(options.startOf(number));
      case "ready":
        member.ready = true;
        addresses = { http: message.http, ssh: message.ssh };
        log.debug("worker serves", { worker: number, pid: pidOf(member) });
        if (starting && --starting.left === 0) starting.resolve();
        return undefined;
      case "failed": {
        const error = errorOf(message);
        if (starting) starting.reject(error);
        else log.error("worker cannot serve", { worker: number, error });
        return undefined;
      }
      default:
        return options.handle(number, message);
    }
  }

  function ended(number: number, member: Member, how: string): void {
    members.delete(number);
    member.channel.close();
    options.gone(number);
    if (!replacing) return;
    if (starting)
      return starting.reject(
        new Error(`A worker died as it started (${how}).`),
      );
    log.error("worker died", { worker: number, pid: pidOf(member), how });
    const lived = performance.now() - member.startedAt;
    failures = lived > SETTLED_MS ? 0 : failures + 1;
    restarts++;
    if (failures <= 1) return begin();
    const delay = Math.min(FIRST_DELAY_MS * 2 ** failures, MAX_DELAY_MS);
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (replacing) begin();
    }, delay);
    timers.add(timer);
  }

  async function start(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        starting = { left: count, resolve, reject };
        timer = setTimeout(
          () => reject(new Error("The workers do not begin to serve.")),
          START_MS,
        );
        for (let i = 0; i < count; i++) begin();
      });
    } finally {
      clearTimeout(timer);
      starting = undefined;
    }
  }

  async function askAll<Answer>(
    message: ToWorker,
    patienceMs: number,
  ): Promise<Map<number, Answer>> {
    const answers = new Map<number, Answer>();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    const asked = [...members]
      .filter(([, { joined }]) => joined)
      .map(([number, { channel }]) =>
        channel.ask<Answer>(message).then(
          (answer) => void answers.set(number, answer),
          // It died, and so it has nothing to say.
          () => {},
        ),
      );
    const all = Promise.all(asked).then(() => true);
    if (!(await Promise.race([all, late])))
      log.warn("worker does not answer", { question: message.t });
    clearTimeout(timer);
    return answers;
  }

  async function close(): Promise<void> {
    stopReplacing();
    await askAll({ t: "stop" }, STOP_MS);
    for (const { worker } of members.values()) {
      const timer = setTimeout(() => worker.process.kill("SIGKILL"), STOP_MS);
      timers.add(timer);
      if (worker.isConnected()) worker.disconnect();
    }
    await Promise.all([...members.values()].map(({ gone }) => gone));
    for (const timer of timers) clearTimeout(timer);
  }

  function stopReplacing(): void {
    replacing = false;
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  }

  return {
    start,
    get addresses() {
      return addresses;
    },
    get counts() {
      let ready = 0;
      for (const member of members.values()) if (member.ready) ready++;
      return { ready, restarts };
    },
    get numbers() {
      return [...members].flatMap(([number, { joined }]) =>
        joined ? number : [],
      );
    },
    tell: (number, message) => members.get(number)?.channel.tell(message),
    tellAll(message) {
      for (const { joined, channel } of members.values())
        if (joined) channel.tell(message);
    },
    askAll,
    stopReplacing,
    close: () => (closing ??= close()),
  };
}

// The settings of node:cluster are the process': they are set for each fork, and nothing else of it is touched.
function fork(): Worker {
  // All workers accept on one socket of the kernel's: the other way, through the primary, costs it 0.4 CPU seconds for
  // 10,000 connections and halves what can be accepted (docs/decisions/0010-workers.md).
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({
    exec: fileURLToPath(new URL("./worker.js", import.meta.url)),
    args: [],
    serialization: "advanced",
    // Nothing that is the primary's own: a process that is started with the same pipe makes writes to it wait (libuv clears
    // O_NONBLOCK, which both ends of a fork share), and with them everything here, for as long as nobody reads the log.
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const worker = cluster.fork();
  // The last words of Node itself; all others come as messages.
  const { stderr } = worker.process;
  stderr?.on("data", (chunk: Buffer) => process.stderr.write(chunk));
  stderr?.on("error", () => {});
  return worker;
}

const pidOf = ({ worker }: Member): number | undefined => worker.process.pid;

const errorOf = (failed: ToPrimary & { t: "failed" }): Error =>
  failed.code !== undefined && Object.hasOwn(edgeErrorCodes, failed.code)
    ? new EdgeError(failed.code as EdgeErrorCode, failed.message)
    : new Error(failed.message);
