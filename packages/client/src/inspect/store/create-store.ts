// The store of a running client: this run in memory, and the history on disk behind it.
import type { Exchange, ExchangeSummary, WebhookFacts } from "@expose/protocol";
import type {
  Capture,
  ExchangeQuery,
  ExchangeStore,
  StoredBodies,
  StoredExchange,
  StoreListener,
  StoreStatus,
} from "../capture.ts";
import type { History } from "./history.ts";
import { createMemory, type MemoryRecord } from "./memory.ts";
import { summarise } from "./summary.ts";

/** Settings of {@link createStore}. */
export interface StoreOptions {
  /** Absent: there is none, and `memoryOnlyBecause` says why. */
  readonly history?: History | undefined;
  readonly memoryOnlyBecause?: string | undefined;
  /** Says what webhook a request is. Called when a request is complete; what it throws is taken for "none". */
  readonly explain?:
    | ((
        exchange: Exchange,
        requestBody: () => Buffer,
      ) => WebhookFacts | undefined)
    | undefined;
  /** Default: 5,000 exchanges in memory. */
  readonly maxExchanges?: number | undefined;
  /** Default: 48 MiB in memory. */
  readonly maxBytes?: number | undefined;
}

const MAX_EXCHANGES = 5_000;
const MAX_BYTES = 48 * 1_024 * 1_024;
// The sink is called between two chunks of a stream: all that costs is done for many exchanges at once, a little later.
const SETTLE_MS = 50;
// And after so long the streams have their turn: a flood would make them wait for tens of milliseconds.
const SLICE_MS = 3;
const PAUSE_MS = 5;
// A filter looks at so many exchanges of the history at a time; streams go on in between.
const SCAN_ROWS = 100;

/** Makes a store. */
export function createStore(options: StoreOptions = {}): ExchangeStore {
  const { history, explain } = options;
  const memory = createMemory({
    maxExchanges: options.maxExchanges ?? MAX_EXCHANGES,
    maxBytes: options.maxBytes ?? MAX_BYTES,
  });
  const listeners = new Set<StoreListener>();
  /** What has happened to a record since the last time: whether it is new. */
  const touched = new Map<MemoryRecord, boolean>();
  /** What memory has let go of, and whose memory is not released yet. */
  let gone: readonly MemoryRecord[] = [];
  let missed = 0;
  let missedUntold = 0;
  let timer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  return {
    opened(capture) {
      touch(memory.open(capture), true);
    },
    changed(capture) {
      const record = memory.get(capture.id);
      if (record) touch(record, false);
    },
    finished(capture) {
      const record = memory.get(capture.id);
      if (!record) return;
      memory.finish(record);
      touch(record, false);
    },
    missed(count) {
      missed += count;
      missedUntold += count;
      schedule();
    },
    list,
    async get(id) {
      settle();
      const record = memory.get(id);
      return record ? exchangeOf(record) : history?.get(id);
    },
    async bodies(id) {
      const record = memory.get(id);
      return record ? bodiesOf(record.capture) : history?.bodies(id);
    },
    async messages(id, after = -1) {
      const record = memory.get(id);
      const all = record
        ? record.capture.messages
        : await history?.messages(id);
      return all?.filter(({ index }) => index > after);
    },
    async clear() {
      settle();
      memory.clear();
      schedule();
      await history?.clear();
      tell((listener) => listener.cleared?.());
    },
    status,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      closing ??= (async () => {
        settle();
        await history?.close();
      })();
      return closing;
    },
  };

  function touch(record: MemoryRecord, isNew: boolean): void {
    touched.set(record, isNew || touched.get(record) === true);
    schedule();
  }

  function schedule(ms = SETTLE_MS): void {
    if (timer || closing) return;
    timer = setTimeout(() => {
      settle(SLICE_MS);
      releaseGone();
    }, ms);
    // What is left is written by close().
    timer.unref();
  }

  /** @param forMs how long it may take; what is left then is done a little later */
  function settle(forMs = Infinity): void {
    clearTimeout(timer);
    timer = undefined;
    const until = forMs === Infinity ? Infinity : performance.now() + forMs;
    const finished: StoredExchange[] = [];
    for (const [record, isNew] of touched) {
      touched.delete(record);
      settleOne(record, isNew, finished);
      if (performance.now() > until) break;
    }
    if (finished.length > 0) history?.write(finished);
    const count = missedUntold;
    missedUntold = 0;
    if (count > 0) tell((listener) => listener.missed?.(count));
    if (touched.size > 0) schedule(PAUSE_MS);
  }

  // Not at the moment when memory lets them go: whoever has waited for the end of one reads it right after that.
  function releaseGone(): void {
    gone = [...gone, ...memory.takeGone()].filter((record) => {
      // It is yet to be told of and written.
      if (touched.has(record)) return true;
      record.capture.release?.();
      return false;
    });
  }

  function settleOne(
    record: MemoryRecord,
    isNew: boolean,
    finished: StoredExchange[],
  ): void {
    const exchange = explainOnce(record);
    if (listeners.size > 0) {
      const summary = summarise(exchange);
      tell((listener) =>
        isNew ? listener.added?.(summary) : listener.changed?.(summary),
      );
    }
    if (history && record.finished)
      finished.push({
        exchange,
        // Most of a flood is not written, and need not be copied.
        get bodies() {
          return bodiesOf(record.capture);
        },
        messages: record.capture.messages,
      });
  }

  function explainOnce(record: MemoryRecord): Exchange {
    const exchange = record.capture.exchange();
    const isWhole =
      exchange.timing.requestEndMs !== undefined || record.finished;
    if (explain && !record.explained && isWhole && exchange.request) {
      record.explained = true;
      try {
        record.webhook = explain(exchange, () =>
          Buffer.concat(record.capture.requestBody),
        );
      } catch {
        // It reads what strangers send. That it cannot is no reason to lose the exchange.
      }
    }
    return withWebhook(exchange, record);
  }

  async function list({ filter, limit, before }: ExchangeQuery): Promise<{
    items: ExchangeSummary[];
    next?: string;
  }> {
    settle();
    const found = new Map<string, Exchange>();
    // One more than asked for tells whether there is a next page.
    const wanted = limit + 1;
    for (const record of memory.newestFirst()) {
      if (found.size >= wanted) break;
      const { id } = record.capture;
      if (before !== undefined && id >= before) continue;
      const exchange = exchangeOf(record);
      if (!filter || filter.matches(exchange, () => bodiesOf(record.capture)))
        found.set(id, exchange);
    }
    if (history) await scan(history);
    const sorted = [...found.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    const items = sorted.slice(0, limit).map(summarise);
    const last = items.at(-1);
    return {
      items,
      ...(sorted.length > limit && last && { next: last.id }),
    };

    // Other clients write to the history at the same time: what is newest may be there.
    async function scan(disk: History): Promise<void> {
      let from = before;
      let count = 0;
      while (count < wanted) {
        const rows = await disk.list(
          filter ? SCAN_ROWS : Math.min(wanted, 1_000),
          from,
        );
        for (const exchange of rows) {
          from = exchange.id;
          const inMemory = memory.get(exchange.id) !== undefined;
          if (!inMemory && !(await matches(disk, exchange))) continue;
          // What memory has was judged above, where its secrets are still known.
          if (!inMemory) found.set(exchange.id, exchange);
          if (!inMemory || found.has(exchange.id)) count++;
          if (count >= wanted) break;
        }
        if (rows.length === 0) break;
      }
    }

    async function matches(disk: History, exchange: Exchange) {
      if (!filter) return true;
      const bodies = filter.needsBodies
        ? await disk.bodies(exchange.id)
        : undefined;
      return filter.matches(exchange, () => bodies ?? NO_BODIES);
    }
  }

  function status(): StoreStatus {
    const memoryOnlyBecause = history
      ? history.failure
      : (options.memoryOnlyBecause ?? "the history on disk is off");
    return {
      ...(memoryOnlyBecause === undefined
        ? { file: history!.file }
        : { memoryOnlyBecause }),
      exchanges:
        memoryOnlyBecause === undefined
          ? Math.max(history!.exchanges, memory.size)
          : memory.size,
      bytes:
        memoryOnlyBecause === undefined
          ? Math.max(history!.bytes, memory.bytes)
          : memory.bytes,
      missed,
    };
  }

  function tell(what: (listener: StoreListener) => void): void {
    for (const listener of [...listeners]) what(listener);
  }
}

const NO_BODIES: StoredBodies = {
  request: Buffer.alloc(0),
  response: Buffer.alloc(0),
};

const exchangeOf = (record: MemoryRecord): Exchange =>
  withWebhook(record.capture.exchange(), record);

const withWebhook = (
  exchange: Exchange,
  { webhook }: MemoryRecord,
): Exchange => (webhook ? { ...exchange, webhook } : exchange);

function bodiesOf({ requestBody, responseBody }: Capture): StoredBodies {
  return {
    request: Buffer.concat(requestBody),
    response: Buffer.concat(responseBody),
  };
}
