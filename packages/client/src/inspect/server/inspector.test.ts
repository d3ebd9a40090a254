import { expect, test } from "vitest";
import { createMemoryStore, makeCapture, makeExchange } from "./use-store.ts";
import { useApi, useInspector } from "./use-inspector.ts";

const json = async (response: Response): Promise<unknown> => response.json();

test("the status names version, tunnels and store", async () => {
  const inspector = await useInspector({
    tunnels: () => [
      {
        name: "shop",
        url: "https://shop.example.com",
        upstream: "localhost:8080",
        state: "online",
        latencyMs: 12,
        openConnections: 3,
        dial: () => Promise.reject(new Error("not in this test")),
      },
    ],
  });
  const response = await useApi(inspector)("/api/v1/status");
  expect(response.status).toBe(200);
  expect(await json(response)).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    tunnels: [
      {
        name: "shop",
        url: "https://shop.example.com",
        upstream: "localhost:8080",
        state: "online",
        latencyMs: 12,
        openConnections: 3,
      },
    ],
    store: {
      memoryOnlyBecause: "it is a test",
      exchanges: 0,
      bytes: 0,
      missed: 0,
    },
    secrets: [],
  });
});

test("exchanges are listed newest first, page by page", async () => {
  const store = createMemoryStore();
  const all = [makeExchange(), makeExchange(), makeExchange()];
  for (const exchange of all) store.finished(makeCapture(exchange));
  const api = useApi(await useInspector({ store }));

  const first = (await json(await api("/api/v1/exchanges?limit=2"))) as {
    items: { id: string }[];
    next: string;
  };
  expect(first.items.map(({ id }) => id)).toEqual([all[2]!.id, all[1]!.id]);
  const second = await json(
    await api(`/api/v1/exchanges?limit=2&before=${first.next}`),
  );
  expect(second).toMatchObject({ items: [{ id: all[0]!.id }] });
  expect(second).not.toHaveProperty("next");
});

test("an exchange is shown whole, with its bodies as they passed and its messages", async () => {
  const store = createMemoryStore();
  const exchange = makeExchange();
  const message = {
    index: 0,
    direction: "in",
    atMs: 1,
    type: "text",
    bytes: 2,
    keptBytes: 2,
    data: "hi",
    encoding: "utf8",
  } as const;
  const body = Buffer.from([0, 1, 0xff]);
  store.finished(makeCapture(exchange, { response: body }, [message]));
  const api = useApi(await useInspector({ store }));
  const path = `/api/v1/exchanges/${exchange.id}`;

  expect(await json(await api(path))).toEqual(exchange);
  const response = await api(`${path}/response/body`);
  expect(Buffer.from(await response.arrayBuffer())).toEqual(body);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename="${exchange.id}-response.bin"`,
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
  });
  expect(await json(await api(`${path}/messages`))).toEqual({
    items: [message],
  });
  expect(await json(await api(`${path}/messages?after=0`))).toEqual({
    items: [],
  });
});

test("a body that was cut is said to be", async () => {
  const store = createMemoryStore();
  const exchange = makeExchange({
    request: {
      method: "POST",
      target: "/",
      version: "1.1",
      headers: [],
      trailers: [],
      body: { bytes: 10, keptBytes: 2, framing: "length" },
    },
  });
  store.finished(makeCapture(exchange, { request: "hi" }));
  const api = useApi(await useInspector({ store }));
  const response = await api(`/api/v1/exchanges/${exchange.id}/request/body`);
  expect(response.headers.get("x-expose-truncated")).toBe("1");
});

test("clearing forgets everything and says so", async () => {
  const store = createMemoryStore();
  store.finished(makeCapture(makeExchange()));
  const api = useApi(await useInspector({ store }));
  const events = await api("/api/v1/events");
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  const deleted = await api("/api/v1/exchanges", { method: "DELETE" });
  expect(deleted.status).toBe(204);
  let seen = "";
  while (!seen.includes("event: cleared")) seen += (await reader.read()).value;
  await reader.cancel();
  expect(await json(await api("/api/v1/exchanges"))).toEqual({ items: [] });
});

test.each([
  ["/api/v1/exchanges/nonsense", 404, "exchange-unknown"],
  ["/api/v1/exchanges/01J00000000000000000009999", 404, "exchange-unknown"],
  ["/api/v1/exchanges?limit=0", 400, "request-invalid"],
  ["/api/v1/exchanges?limit=1e3", 400, "request-invalid"],
  ["/api/v1/exchanges?before=x", 400, "request-invalid"],
  ["/api/v1/nowhere", 404, "route-unknown"],
  ["/api/v1/exchanges/%zz", 400, "request-invalid"],
])("GET %s is answered %i %s", async (path, status, code) => {
  const response = await useApi(await useInspector())(path);
  expect(response.status).toBe(status);
  expect(await json(response)).toEqual({
    error: expect.objectContaining({ code, message: expect.any(String) }),
  });
});

test("a method that a route has not is answered with those that it has", async () => {
  const api = useApi(await useInspector());
  const response = await api("/api/v1/exchanges", { method: "PUT" });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("GET, DELETE");
});

test("a HEAD is answered as the GET, without the body, and ends", async () => {
  const api = useApi(await useInspector());
  for (const path of ["/api/v1/status", "/api/v1/events", "/"]) {
    const response = await api(path, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  }
});

test("a slash at the end of a path says nothing", async () => {
  const api = useApi(await useInspector());
  expect((await api("/api/")).status).toBe(200);
  expect((await api("/api//")).status).toBe(404);
});
