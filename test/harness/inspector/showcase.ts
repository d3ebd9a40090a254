// A morning of a web shop: one exchange of each kind, for the tests that look at all of the page and for its screenshots.
import type { Exchange, ExchangeMessage, HeaderLine } from "@expose/protocol";
import type { FakeClient, FakeExchange } from "./fake-client.ts";
import { sample } from "./sample.ts";

/** Fills a client, the oldest first. */
export function showcase(client: FakeClient, now = Date.now()): void {
  const noise = Array.from({ length: 24 }, (_, i) => ordinary(i));
  const failed = order(500, {});
  const all: FakeExchange[] = [
    ...noise.slice(0, 12),
    upload(),
    conversation(),
    events(),
    ...noise.slice(12, 20),
    failed,
    order(200, { replayOf: failed.exchange.id }),
    ...noise.slice(20),
    broken(),
    stripe(
      "failed",
      "The body was changed on the way: the signature holds for 212 bytes, and 214 came.",
    ),
    stripe("verified", "The signature holds; its timestamp is 2 seconds old."),
  ];
  // Ids sort by time.
  const ids = all.map(({ exchange: { id } }) => id).sort();
  const idOf = new Map(all.map(({ exchange: { id } }, at) => [id, ids[at]!]));
  all.forEach((one, index) => {
    const { replayOf } = one.exchange;
    const exchange: Exchange = {
      ...one.exchange,
      id: ids[index]!,
      startedAt: now - (all.length - index) * 1_731,
      ...(replayOf !== undefined && { replayOf: idOf.get(replayOf)! }),
    };
    client.exchanges.set(exchange.id, { ...one, exchange });
  });
  client.status = {
    ...client.status,
    tunnels: [
      {
        name: "shop",
        url: "https://shop.example.com",
        upstream: "localhost:8080",
        state: "online",
        latencyMs: 21,
        openConnections: 2,
      },
      {
        name: "api",
        url: "https://api.example.com",
        upstream: "localhost:9000",
        state: "reconnecting",
        openConnections: 0,
      },
    ],
    store: {
      exchanges: all.length,
      bytes: 1_240_000,
      missed: 3,
      memoryOnlyBecause: "the disk is full.",
    },
    secrets: ["stripe", "github"],
  };
  client.comparison = {
    status: { left: 500, right: 200 },
    headers: [
      {
        path: "content-type",
        kind: "changed",
        left: "text/html",
        right: "application/json",
      },
      { path: "x-request-id", kind: "removed", left: "7f31" },
    ],
    body: {
      kind: "json",
      changes: [
        { path: "/error", kind: "removed", left: '"out of stock"' },
        { path: "/order/total", kind: "changed", left: "0", right: "4990" },
        { path: "/order/id", kind: "added", right: '"or_81"' },
      ],
    },
  };
  client.replayManyAnswer = {
    results: [failed, ...noise.slice(0, 4)].map(
      ({ exchange: { id, status = 0 } }, index) => ({
        original: idOf.get(id)!,
        replay: idOf.get(id)!,
        before: status,
        after: index === 3 ? 500 : 200,
        sameClass: index > 0 && index !== 3,
        changes: index === 0 ? 5 : index === 3 ? 3 : 0,
      }),
    ),
  };
}

const PATHS: readonly (readonly [string, string, number])[] = [
  ["GET", "/", 200],
  ["GET", "/assets/app.8c1f.js", 200],
  ["GET", "/assets/app.52d0.css", 304],
  ["GET", "/api/products?page=2&sort=price", 200],
  ["POST", "/api/carts/9f2c/items", 201],
  ["GET", "/favicon.ico", 404],
  ["DELETE", "/api/carts/9f2c/items/3", 204],
  ["OPTIONS", "/api/orders", 204],
];

function ordinary(index: number): FakeExchange {
  const [method, target, status] = PATHS[index % PATHS.length]!;
  return {
    exchange: sample({
      method,
      target,
      status,
      durationMs: 3 + ((index * 37) % 90),
      responseBytes: (index * 7_919) % 64_000,
      ...(index % 5 === 3 && { tunnel: "api" }),
    }),
    views: { response: { kind: "json", text: '{\n  "ok": true\n}' } },
  };
}

const JSON_HEADERS: readonly HeaderLine[] = [
  ["Host", "shop.example.com"],
  ["User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)"],
  ["Content-Type", "application/json; charset=utf-8"],
  [
    "Stripe-Signature",
    "t=1767323045,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
  ],
  ["Authorization", "[redacted]"],
  ["X-Forwarded-For", "203.0.113.7"],
  ["X-Forwarded-Proto", "https"],
];

const EVENT = {
  id: "evt_1OqYb2",
  object: "event",
  type: "checkout.session.completed",
  created: 1_767_323_045,
  livemode: false,
  data: {
    object: {
      id: "cs_test_a1",
      amount_total: 4_990,
      currency: "eur",
      customer_email: "ada@example.com",
      payment_status: "paid",
      metadata: { cart: "9f2c", gift: true, note: null },
    },
  },
};

function stripe(verdict: "verified" | "failed", reason: string): FakeExchange {
  const text = JSON.stringify(EVENT, null, 2);
  const exchange = withRequest(
    sample({
      method: "POST",
      target: "/hooks/stripe",
      status: verdict === "failed" ? 400 : 200,
      requestBytes: text.length,
      durationMs: 24.2,
      webhook: { provider: "stripe", event: EVENT.type, verdict, reason },
      redacted: ["authorization"],
    }),
    JSON_HEADERS,
    text.length,
  );
  return {
    exchange,
    views: {
      request: { kind: "json", text },
      response: { kind: "json", text: '{\n  "received": true\n}' },
    },
    bodies: { request: Buffer.from(text) },
  };
}

function order(status: number, changes: Partial<Exchange>): FakeExchange {
  return {
    exchange: withRequest(
      sample({
        method: "POST",
        target: "/api/orders",
        status,
        durationMs: 88,
        requestBytes: 64,
        ...changes,
      }),
      JSON_HEADERS.slice(0, 3),
      64,
    ),
    views: {
      request: { kind: "json", text: '{\n  "cart": "9f2c"\n}' },
      response:
        status === 200
          ? {
              kind: "json",
              text: '{\n  "order": {\n    "id": "or_81",\n    "total": 4990\n  }\n}',
            }
          : {
              kind: "json",
              text: '{ "order": oops',
              error: { message: "A value was expected.", line: 1, column: 12 },
            },
    },
  };
}

function upload(): FakeExchange {
  return {
    exchange: withRequest(
      sample({
        method: "POST",
        target: "/upload",
        status: 303,
        requestBytes: 5_120,
      }),
      JSON_HEADERS.slice(0, 2),
      5_120,
    ),
    views: {
      request: {
        kind: "multipart",
        parts: [
          {
            headers: [["Content-Disposition", 'form-data; name="title"']],
            name: "title",
            bytes: 9,
            text: "Inventory",
          },
          {
            headers: [["Content-Type", "text/csv"]],
            name: "file",
            filename: "report.csv",
            type: "text/csv",
            bytes: 5_000,
            text: "sku,left\nA1,3\nB2,0\n",
          },
          {
            headers: [],
            name: "thumb",
            filename: "t.bin",
            bytes: 4,
            base64: "AAECAw==",
          },
        ],
      },
      response: {
        kind: "form",
        fields: [
          { name: "status", value: "queued" },
          { name: "id", value: "17" },
        ],
      },
    },
  };
}

function conversation(): FakeExchange {
  const says: readonly (readonly ["in" | "out", string])[] = [
    ["in", '{"subscribe":"stock"}'],
    ["out", '{"subscribed":"stock"}'],
    ["out", '{"sku":"A1","left":3}'],
    ["out", '{"sku":"B2","left":0}'],
    ["in", '{"unsubscribe":"stock"}'],
  ];
  const messages: ExchangeMessage[] = says.map(([direction, data], index) => ({
    index,
    direction,
    atMs: 12 + index * 840,
    type: "text",
    bytes: data.length,
    keptBytes: data.length,
    data,
    encoding: "utf8",
    ...(index > 0 && { compressed: true }),
  }));
  messages.push(
    {
      index: 5,
      direction: "out",
      atMs: 5_100,
      type: "binary",
      bytes: 16,
      keptBytes: 16,
      data: "AAECAwQFBgcICQoLDA0ODw==",
      encoding: "base64",
      frames: 2,
    },
    {
      index: 6,
      direction: "in",
      atMs: 5_400,
      type: "close",
      bytes: 2,
      keptBytes: 2,
      data: "",
      encoding: "utf8",
      closeCode: 1_000,
    },
  );
  return {
    exchange: sample({
      target: "/live",
      kind: "websocket",
      status: 101,
      messages: messages.length,
      durationMs: 5_400,
    }),
    messages,
  };
}

function events(): FakeExchange {
  const messages = ["price", "stock", "price"].map(
    (event, index): ExchangeMessage => ({
      index,
      direction: "out",
      atMs: 30 + index * 1_000,
      type: "event",
      event,
      eventId: String(index + 1),
      bytes: 22,
      keptBytes: 22,
      data: '{"sku":"A1","left":3}',
      encoding: "utf8",
    }),
  );
  return {
    exchange: sample({
      target: "/stream",
      kind: "events",
      messages: 3,
      state: "open",
      responseType: "text/event-stream",
    }),
    messages,
  };
}

function broken(): FakeExchange {
  const {
    response: _response,
    status: _status,
    ...rest
  } = sample({
    method: "GET",
    target: "/reports/2026.pdf",
    state: "aborted",
    note: "The visitor went away after 1.2 MB.",
  });
  return { exchange: rest };
}

function withRequest(
  exchange: Exchange,
  headers: readonly HeaderLine[],
  bytes: number,
): Exchange {
  return {
    ...exchange,
    request: {
      ...exchange.request!,
      headers,
      body: { bytes, keptBytes: bytes, framing: "length" },
    },
  };
}
