// The store: this run in memory, older runs behind it.
import type { Exchange } from "@expose/protocol";
import { expect, onTestFinished, test, vi } from "vitest";
import type { ExchangeStore, StoredExchange } from "../capture.ts";
import { createTap } from "../tap/create-tap.ts";
import { createStore, type StoreOptions } from "./create-store.ts";
import { makeRow } from "./disk/testing/make-row.ts";
import type { History } from "./history.ts";

const INFO = { tunnel: "shop", origin: "https://a", upstream: "localhost:1" };

function useStore(options: StoreOptions = {}) {
  const store = createStore(options);
  const connect = createTap(store, { maxPerSecond: 1e9 });
  const tap = connect(INFO);
  return {
    store,
    pass(path: string, body = "ok", headers = ""): void {
      tap.fromVisitor(
        Buffer.from(
          `GET ${path} HTTP/1.1\r\nHost: a\r\nCookie: s=1\r\n${headers}\r\n`,
        ),
      );
      tap.fromUpstream(
        Buffer.from(
          `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        ),
      );
    },
    tap,
  };
}

// A history whose disk is an array: what is tried here is how the two are put together.
function useHistory(rows: Exchange[] = []): History & {
  written: StoredExchange[];
} {
  const written: StoredExchange[] = [];
  return {
    written,
    write: (records) => void written.push(...records),
    list: async (limit, before = "~") =>
      [...rows, ...written.map(({ exchange }) => exchange)]
        .sort((a, b) => (a.id < b.id ? 1 : -1))
        .filter(({ id }) => id < before)
        .slice(0, limit),
    get: async (id) => rows.find((row) => row.id === id),
    bodies: async () => ({
      request: Buffer.alloc(0),
      response: Buffer.from("old"),
    }),
    messages: async () => [],
    clear: async () => void (rows.length = 0),
    exchanges: rows.length,
    bytes: 0,
    file: "/state/history.sqlite",
    failure: undefined,
    close: async () => {},
  };
}

async function listAll(
  store: ExchangeStore,
  limit: number,
  options: object = {},
): Promise<string[]> {
  const targets: string[] = [];
  for (let before: string | undefined; ;) {
    const { items, next } = await store.list({ limit, before, ...options });
    targets.push(...items.map(({ target }) => target));
    if (next === undefined) return targets;
    before = next;
  }
}

test("pages lead through this run and on into those before, each exchange once", async () => {
  const old = Array.from(
    { length: 7 },
    (_, i) => makeRow({ target: `/old/${i}` }).exchange,
  );
  const { store, pass } = useStore({ history: useHistory(old) });
  for (let i = 0; i < 6; i++) pass(`/new/${i}`);
  const wanted = [
    ...[5, 4, 3, 2, 1, 0].map((i) => `/new/${i}`),
    ...[6, 5, 4, 3, 2, 1, 0].map((i) => `/old/${i}`),
  ];
  for (const limit of [1, 2, 3, 5, 13, 100])
    expect(await listAll(store, limit)).toEqual(wanted);
  const filter = {
    needsBodies: true,
    matches: ({ target }: Exchange, bodies: () => { response: Buffer }) =>
      /[135]$/.test(target) && String(bodies().response) !== "",
  };
  for (const limit of [1, 2, 100])
    expect(await listAll(store, limit, { filter })).toEqual(
      wanted.filter((target) => /[135]$/.test(target)),
    );
});

test("an exchange of this run keeps its secrets, and its history is handed over once", async () => {
  const history = useHistory();
  const { store, pass } = useStore({ history });
  pass("/a");
  const { items } = await store.list({ limit: 1 });
  const exchange = await store.get(items[0]!.id);
  expect(exchange!.request!.headers).toContainEqual(["Cookie", "s=1"]);
  expect(exchange!.redacted).toEqual([]);
  expect(String((await store.bodies(items[0]!.id))!.response)).toBe("ok");
  await store.close();
  await store.close();
  expect(history.written.map(({ exchange: { id } }) => id)).toEqual([
    items[0]!.id,
  ]);
});

test("listeners hear of what is new and what changes, and of no more after they left", async () => {
  const { store, pass, tap } = useStore({
    explain: () => ({ provider: "stripe", verdict: "unchecked" }),
  });
  const heard: string[] = [];
  const leave = store.subscribe({
    added: ({ target, state, webhook }) =>
      heard.push(`added ${target} ${state} ${webhook?.provider}`),
    changed: ({ target, state }) => heard.push(`changed ${target} ${state}`),
    cleared: () => heard.push("cleared"),
    missed: (count) => heard.push(`missed ${count}`),
  });
  pass("/whole");
  tap.fromVisitor(Buffer.from("GET /open HTTP/1.1\r\nHost: a\r\n\r\n"));
  await store.get("any");
  store.missed(2);
  store.missed(1);
  tap.closed();
  await store.get("any");
  await store.clear();
  leave();
  pass("/unheard");
  await store.get("any");
  expect(heard).toEqual([
    "added /whole complete stripe",
    "added /open open stripe",
    "changed /open aborted",
    "missed 3",
    "cleared",
  ]);
  expect(store.status().missed).toBe(3);
});

test("what explains webhooks may fail, and the exchange is there all the same", async () => {
  const { store, pass } = useStore({
    explain: () => {
      throw new Error("no such provider");
    },
  });
  pass("/a");
  expect((await store.list({ limit: 1 })).items).toHaveLength(1);
});

test("memory holds a number of exchanges and bytes, the newest", async () => {
  const byCount = useStore({ maxExchanges: 100 });
  for (let i = 0; i < 1_000; i++) byCount.pass(`/${i}`);
  const targets = await listAll(byCount.store, 1_000);
  expect(targets.length).toBeLessThanOrEqual(105);
  expect(targets[0]).toBe("/999");
  const byBytes = useStore({ maxBytes: 1_000_000 });
  for (let i = 0; i < 200; i++) byBytes.pass(`/${i}`, "x".repeat(50_000));
  expect(byBytes.store.status().bytes).toBeLessThanOrEqual(1_050_000);
  expect((await listAll(byBytes.store, 1_000)).length).toBeGreaterThan(10);
  // Headers count as well: they are what a visitor can send most of.
  const byHeads = useStore({ maxBytes: 1_000_000 });
  for (let i = 0; i < 100; i++)
    byHeads.pass(`/${i}`, "ok", `X-Large: ${"y".repeat(15_000)}\r\n`);
  const kept = (await listAll(byHeads.store, 1_000)).length;
  expect(kept).toBeGreaterThan(30);
  expect(kept).toBeLessThan(60);
});

test("a store without a history says why", () => {
  expect(useStore().store.status()).toMatchObject({
    memoryOnlyBecause: "the history on disk is off",
  });
  expect(useStore({ history: useHistory() }).store.status()).toMatchObject({
    file: "/state/history.sqlite",
  });
});

test("memory of what is gone serves again, and nobody reads in it what belongs to another", async () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
  // Each exchange takes longer than all of them may: one is settled at a time.
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (nowMs += 10));
  const onDisk = new Map<string, string>();
  const store = createStore({
    maxBytes: 1_000_000,
    history: {
      ...useHistory(),
      write(all) {
        for (const { exchange, bodies } of all)
          onDisk.set(exchange.target, String(bodies.response));
      },
    },
  });
  const memory = new Set<ArrayBufferLike>();
  const tap = createTap({
    ...store,
    finished(capture) {
      for (const { buffer } of capture.responseBody) memory.add(buffer);
      store.finished(capture);
    },
  })(INFO);
  const bodyOf = (n: number | string): string =>
    String.fromCharCode(97 + (Number(String(n).replace("/", "")) % 26)).repeat(
      60_000,
    );
  for (let n = 0; n < 200; n++) {
    tap.fromVisitor(Buffer.from(`GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`));
    tap.fromUpstream(
      Buffer.from(
        `HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n${bodyOf(n)}`,
      ),
    );
    // Now and then some are gone before they are written.
    if (n % 40 > 20) vi.advanceTimersByTime(80);
  }
  // Of 16 KiB: 800 if each served once.
  expect(memory.size).toBeLessThan(400);
  const { items } = await store.list({ limit: 10 });
  for (const { id, target } of items)
    expect(String((await store.bodies(id))!.response)).toBe(bodyOf(target));
  vi.advanceTimersByTime(1_000);
  expect(onDisk.size).toBe(200);
  for (const [target, body] of onDisk) expect(body).toBe(bodyOf(target));
});
