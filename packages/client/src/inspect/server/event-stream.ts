// Tells browsers and scripts what happens in the store, as server-sent events (HTML Standard, section 9.2). What comes too
// fast is put together; who reads too slowly misses some and is told how many.
import type { ServerResponse } from "node:http";
import type { ExchangeSummary } from "@expose/protocol";
import type { ExchangeStore } from "../capture.ts";
import { ApiError } from "./api-error.ts";

/** The subscribers of one inspector. */
export interface EventStreams {
  /** Makes a subscriber of whoever waits for `response`. @throws ApiError `too-many` */
  add(response: ServerResponse): void;
  /** Ends all streams. */
  close(): void;
}

const MAX_SUBSCRIBERS = 32;
/** Summaries that change meanwhile are sent once, as they are then. */
const FLUSH_EVERY_MS = 100;
/** More than these at once nobody can look at; the list is asked for instead. */
const MAX_EXCHANGES_A_FLUSH = 500;
/** Bytes that may wait for a slow reader. */
const MAX_QUEUED_BYTES = 1024 * 1024;
/** Who has read nothing of that for so long is gone. */
const MAX_STUCK_MS = 60_000;
const HEARTBEAT_MS = 15_000;
/** The state of tunnels is looked at so often, and told when it has changed. */
const STATUS_EVERY_MS = 1_000;

interface Subscriber {
  readonly response: ServerResponse;
  missed: number;
  stuckSince: number | undefined;
}

/**
 * @param store is listened to while there is a subscriber, and not otherwise
 * @param status what a `status` event says
 */
export function createEventStreams(
  store: ExchangeStore,
  status: () => unknown,
): EventStreams {
  const subscribers = new Set<Subscriber>();
  const changed = new Map<string, ExchangeSummary>();
  let missed = 0;
  let unsubscribe: (() => void) | undefined;
  let flushTimer: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let statusTimer: NodeJS.Timeout | undefined;
  let lastStatus = "";

  return { add, close };

  function add(response: ServerResponse): void {
    if (subscribers.size >= MAX_SUBSCRIBERS)
      throw new ApiError(
        "too-many",
        `More than ${MAX_SUBSCRIBERS} event streams are open; close one.`,
      );
    const subscriber = { response, missed: 0, stuckSince: undefined };
    subscribers.add(subscriber);
    response.on("close", () => remove(subscriber));
    response.writeHead(200, {
      "Content-Type": "text/event-stream; charset=utf-8",
      "X-Accel-Buffering": "no",
    });
    if (response.req.method === "HEAD") return void response.end();
    // Something to read at once: whoever waits for it knows that nothing is missed from now on.
    response.write("retry: 1000\n: ready\n\n");
    listen();
  }

  function remove(subscriber: Subscriber): void {
    subscribers.delete(subscriber);
    if (subscribers.size > 0) return;
    unsubscribe?.();
    unsubscribe = undefined;
    clearTimeout(flushTimer);
    flushTimer = undefined;
    clearInterval(heartbeat);
    heartbeat = undefined;
    clearInterval(statusTimer);
    statusTimer = undefined;
    changed.clear();
    missed = 0;
  }

  function listen(): void {
    unsubscribe ??= store.subscribe({
      added: note,
      changed: note,
      cleared() {
        changed.clear();
        send("cleared", {});
      },
      missed(count) {
        missed += count;
        flushSoon();
      },
    });
    heartbeat ??= setInterval(() => {
      for (const subscriber of subscribers) write(subscriber, ": alive\n\n", 0);
    }, HEARTBEAT_MS).unref();
    if (statusTimer) return;
    lastStatus = JSON.stringify(status());
    statusTimer = setInterval(tellStatus, STATUS_EVERY_MS).unref();
  }

  function tellStatus(): void {
    const current = status();
    const text = JSON.stringify(current);
    if (text === lastStatus) return;
    lastStatus = text;
    send("status", current);
  }

  function note(summary: ExchangeSummary): void {
    if (!changed.has(summary.id) && changed.size >= MAX_EXCHANGES_A_FLUSH)
      missed++;
    else changed.set(summary.id, summary);
    flushSoon();
  }

  function flushSoon(): void {
    flushTimer ??= setTimeout(flush, FLUSH_EVERY_MS).unref();
  }

  function flush(): void {
    flushTimer = undefined;
    const items = [...changed.values()];
    changed.clear();
    let text = items.map((item) => encode("exchange", item)).join("");
    if (missed > 0) text += encode("missed", { count: missed });
    const lost = items.length + missed;
    missed = 0;
    for (const subscriber of subscribers) write(subscriber, text, lost);
  }

  function send(event: string, data: unknown): void {
    const text = encode(event, data);
    for (const subscriber of subscribers) write(subscriber, text, 1);
  }

  // @param lost how many events are missed when the text cannot be taken
  function write(subscriber: Subscriber, text: string, lost: number): void {
    const { response } = subscriber;
    if (response.writableLength > MAX_QUEUED_BYTES) {
      subscriber.missed += lost;
      subscriber.stuckSince ??= performance.now();
      if (performance.now() - subscriber.stuckSince > MAX_STUCK_MS)
        response.destroy();
      return;
    }
    subscriber.stuckSince = undefined;
    if (subscriber.missed > 0)
      response.write(encode("missed", { count: subscriber.missed }));
    subscriber.missed = 0;
    response.write(text);
  }

  function close(): void {
    for (const { response } of [...subscribers]) response.end();
  }
}

// JSON has no line breaks of its own, and escapes those of its strings.
const encode = (event: string, data: unknown): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
