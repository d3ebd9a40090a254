import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { fakeRequest } from "./fake-tunnel.ts";
import { MAX_REQUEST_LINES, renderStatus, type Status } from "./status.ts";
import { createStyle } from "./style.ts";
import { textWidth } from "./width.ts";

const at = new Date(2026, 10, 22, 15, 4, 5);
const status: Status = {
  server: "alice@vps.example.com:2222",
  identity: "alice",
  behind: "embedded, expose-edge/0.1.0",
  state: "online",
  latencyMs: 23.4,
  tunnels: [
    {
      url: "https://shop.tunnel.example.com",
      upstream: "localhost:8080",
      openConnections: 2,
    },
  ],
  requestCount: 3,
  requests: [
    { at, request: fakeRequest() },
    {
      at,
      request: fakeRequest({
        method: "DELETE",
        path: "/日本/a\x1b[2J",
        status: 404,
      }),
    },
    {
      at,
      request: fakeRequest({
        status: 502,
        error: "upstream-down",
        durationMs: 5_000,
      }),
    },
  ],
};

const draw = (
  changed: Partial<Status> = {},
  size = { columns: 80, rows: 24 },
): string => {
  const lines = renderStatus(
    { ...status, ...changed },
    size,
    createStyle(false),
  );
  for (const line of lines) expect(textWidth(line)).toBeLessThan(size.columns);
  expect(lines.length).toBeLessThan(size.rows);
  return `\n${lines.join("\n")}\n`;
};

test("the status of an open tunnel shows where it leads and the newest requests", () => {
  expect(draw()).toMatchInlineSnapshot(`
    "
    Status       online   (Ctrl-C to stop)
    Server       alice@vps.example.com:2222 (embedded, expose-edge/0.1.0)
    Identity     alice
    Latency      23 ms
    Tunnel       https://shop.tunnel.example.com -> localhost:8080
    Connections  2 open, 3 requests

    Requests
    15:04:05 GET     200    12 ms /api/users
    15:04:05 DELETE  404    12 ms /日本/a\\x1b[2J
    15:04:05 GET     502    5.0 s /api/users (upstream-down)
    "
  `);
});

test("a lost connection is shown with the attempt, the wait and the reason", () => {
  expect(
    draw({
      state: "reconnecting",
      retry: {
        attempt: 3,
        inMs: 3_200,
        reason: "vps.example.com:2222 refused the connection.",
      },
    }),
  ).toMatchInlineSnapshot(`
    "
    Status       reconnecting (attempt 3, next attempt in 4 s)
                 vps.example.com:2222 refused the connection.
    Server       alice@vps.example.com:2222 (embedded, expose-edge/0.1.0)
    Identity     alice
    Latency      -
    Tunnel       https://shop.tunnel.example.com -> localhost:8080
    Connections  2 open, 3 requests

    Requests
    15:04:05 GET     200    12 ms /api/users
    15:04:05 DELETE  404    12 ms /日本/a\\x1b[2J
    15:04:05 GET     502    5.0 s /api/users (upstream-down)
    "
  `);
  expect(
    draw({
      state: "reconnecting",
      retry: { attempt: 1, inMs: -1, reason: "gone" },
    }),
  ).toContain("(attempt 1, trying now)");
});

test("a local service that is down and a closed tunnel are said in words", () => {
  expect(
    draw({
      tunnels: [
        {
          ...status.tunnels[0]!,
          downReason: "nothing listens on localhost:8080",
        },
        { ...status.tunnels[0]!, closedReason: "opened elsewhere" },
      ],
      requests: [],
    }),
  ).toMatchInlineSnapshot(`
    "
    Status       online   (Ctrl-C to stop)
    Server       alice@vps.example.com:2222 (embedded, expose-edge/0.1.0)
    Identity     alice
    Latency      23 ms
    Tunnel       https://shop.tunnel.example.com -> localhost:8080
                 local service down: nothing listens on localhost:8080
    Tunnel       https://shop.tunnel.example.com -> localhost:8080
                 closed: opened elsewhere
    Connections  4 open, 3 requests

    Requests
    "
  `);
});

test("a narrow terminal gets the whole URL all the same", () => {
  const text = draw({}, { columns: 24, rows: 20 });
  expect(text).toMatchInlineSnapshot(`
    "
    online   (Ctrl-C to st…
    alice@vps.example.com:…
    alice
    23 ms
    https://shop.tunnel.exa
    mple.com
    -> localhost:8080
    2 open, 3 requests

    Requests
    15:04:05 GET     200  …
    15:04:05 DELETE  404  …
    15:04:05 GET     502  …
    "
  `);
  expect(text.replaceAll("\n", "")).toContain(
    "https://shop.tunnel.example.com",
  );
});

test("a low terminal gets as many requests as have room, the newest ones", () => {
  const requests = Array.from({ length: 20 }, (_, n) => ({
    at,
    request: fakeRequest({ path: `/${n}` }),
  }));
  const high = draw({ requests }, { columns: 80, rows: 50 });
  expect(high.match(/GET/g)).toHaveLength(MAX_REQUEST_LINES);
  expect(high).toContain("/19\n");
  const low = draw({ requests }, { columns: 80, rows: 11 });
  expect(low.match(/GET/g)).toHaveLength(2);
  expect(low).toContain("/19\n");
  for (let rows = 2; rows < 12; rows++)
    draw({ requests }, { columns: 80, rows });
  for (let columns = 2; columns < 90; columns++)
    draw({ requests }, { columns, rows: 40 });
});

test("without an edge there is nothing to say of requests", () => {
  expect(draw({ identity: undefined, behind: undefined, requests: [] }))
    .toMatchInlineSnapshot(`
    "
    Status       online   (Ctrl-C to stop)
    Server       alice@vps.example.com:2222
    Latency      23 ms
    Tunnel       https://shop.tunnel.example.com -> localhost:8080
    Connections  2 open
    "
  `);
});

test("colours add nothing that the words do not say", () => {
  const size = { columns: 80, rows: 24 };
  const coloured = renderStatus(status, size, createStyle(true));
  expect(coloured.join("")).toContain("\x1b[");
  expect(coloured.map(stripVTControlCharacters)).toEqual(
    renderStatus(status, size, createStyle(false)),
  );
});

test("nothing that comes from elsewhere reaches the terminal unescaped", () => {
  const hostile = "\x1b]0;owned\x07\x9b2J\u202e";
  const text = draw(
    {
      server: hostile,
      identity: hostile,
      behind: hostile,
      state: "reconnecting",
      retry: { attempt: 1, inMs: 1, reason: hostile },
      tunnels: [
        {
          url: hostile,
          upstream: hostile,
          openConnections: 0,
          downReason: hostile,
        },
        {
          url: hostile,
          upstream: hostile,
          openConnections: 0,
          closedReason: hostile,
        },
      ],
      requests: [
        {
          at,
          request: fakeRequest({
            method: hostile,
            path: hostile,
            error: hostile,
          }),
        },
      ],
    },
    { columns: 300, rows: 40 },
  );
  expect(text).toMatch(/^[\n\x20-\x7e…]*$/);
});
