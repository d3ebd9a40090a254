// For the tests of this folder: a store in memory, and exchanges to put into it.
import { EventEmitter } from "node:events";
import type {
  Exchange,
  ExchangeMessage,
  ExchangeSummary,
} from "@expose/protocol";
import type { Capture, ExchangeStore, StoreListener } from "../capture.ts";

/** Some exchange, with fields of the test's own. */
export function makeExchange(fields: Partial<Exchange> = {}): Exchange {
  return {
    id: nextId(),
    tunnel: "shop",
    origin: "https://shop.example.com",
    kind: "http",
    state: "complete",
    startedAt: 1_700_000_000_000,
    method: "GET",
    target: "/",
    host: "shop.example.com",
    status: 200,
    durationMs: 3,
    requestBytes: 0,
    responseBytes: 0,
    upstream: "localhost:8080",
    timing: {},
    redacted: [],
    ...fields,
  };
}

let count = 0;
/** An id after all those before. */
const nextId = (): string => `01J${String(++count).padStart(23, "0")}`;

/** A capture that is complete. */
export function makeCapture(
  exchange: Exchange,
  bodies: { request?: string | Buffer; response?: string | Buffer } = {},
  messages: readonly ExchangeMessage[] = [],
): Capture {
  return {
    id: exchange.id,
    exchange: () => exchange,
    requestBody: [Buffer.from(bodies.request ?? "")],
    responseBody: [Buffer.from(bodies.response ?? "")],
    messages,
  };
}

/** A store of the simplest kind. */
export function createMemoryStore(): ExchangeStore {
  const captures = new Map<string, Capture>();
  const emitter = new EventEmitter();
  emitter.setMaxListeners(0);
  let missedCount = 0;

  const summarise = (exchange: Exchange): ExchangeSummary => {
    const { upstream: _u, visitor: _v, ...rest } = exchange;
    const {
      request: _q,
      response: _p,
      timing: _t,
      redacted: _r,
      ...summary
    } = rest;
    return summary;
  };
  const bodiesOf = (capture: Capture) => ({
    request: Buffer.concat([...capture.requestBody]),
    response: Buffer.concat([...capture.responseBody]),
  });

  return {
    opened(capture) {
      captures.set(capture.id, capture);
      emitter.emit("added", summarise(capture.exchange()));
    },
    changed(capture) {
      emitter.emit("changed", summarise(capture.exchange()));
    },
    finished(capture) {
      captures.set(capture.id, capture);
      emitter.emit("changed", summarise(capture.exchange()));
    },
    missed(n) {
      missedCount += n;
      emitter.emit("missed", n);
    },
    async list({ filter, limit, before }) {
      const all = [...captures.values()]
        .sort((a, b) => (a.id < b.id ? 1 : -1))
        .filter((capture) => before === undefined || capture.id < before)
        .filter(
          (capture) =>
            !filter ||
            filter.matches(capture.exchange(), () => bodiesOf(capture)),
        );
      const items = all.slice(0, limit).map((c) => summarise(c.exchange()));
      const next = all.length > limit ? items.at(-1)?.id : undefined;
      return { items, ...(next !== undefined && { next }) };
    },
    get: async (id) => captures.get(id)?.exchange(),
    async bodies(id) {
      const capture = captures.get(id);
      return capture && bodiesOf(capture);
    },
    messages: async (id, after = -1) =>
      captures.get(id)?.messages.filter(({ index }) => index > after),
    async clear() {
      captures.clear();
      emitter.emit("cleared");
    },
    status: () => ({
      memoryOnlyBecause: "it is a test",
      exchanges: captures.size,
      bytes: 0,
      missed: missedCount,
    }),
    subscribe(listener: StoreListener) {
      const entries = Object.entries(listener) as [
        string,
        (...args: unknown[]) => void,
      ][];
      for (const [name, call] of entries) emitter.on(name, call);
      return () => {
        for (const [name, call] of entries) emitter.off(name, call);
      };
    },
    async close() {},
  };
}
