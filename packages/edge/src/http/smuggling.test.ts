// Requests that two parsers may read in two ways. The attack is always the same: the upstream sees a second request in
// what the edge took for the first, on a connection that other visitors' requests use. CVE-2026-29057 (http-proxy),
// CVE-2026-2833 and CVE-2026-2835 (Pingora) and CVE-2026-58055 (nghttpx) are of this kind.
import { describe, expect, test } from "vitest";
import {
  get,
  request,
  useCannedUpstream,
  useEdge,
  type RawUpstream,
  type TestEdge,
} from "./edge.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

async function useBoth(): Promise<TestEdge & { upstream: RawUpstream }> {
  const upstream = await useCannedUpstream(OK);
  return { ...(await useEdge(upstream.port)), upstream };
}

// All that the upstream got, on whatever connection.
const seen = (upstream: RawUpstream): string =>
  upstream.wires.map(({ text }) => text).join("");

describe.each(METHODS)("%s", (method) => {
  test.each([
    [
      "a chunked body that looks like a request",
      [`Transfer-Encoding: chunked`],
      `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    ],
    [
      "a body with a length that looks like a request",
      [`Content-Length: ${SMUGGLED.length}`],
      SMUGGLED,
    ],
  ])("with %s is one request", async (_, headers, body) => {
    const { connect, record, upstream, records } = await useBoth();
    const wire = await connect();
    wire.write(request(method, "/outer", headers, body));
    expect((await record()).bytesIn).toBe(SMUGGLED.length);
    // The upstream of this test answers each head that it sees, as one that was fooled would; the edge must not have
    // sent the second one outside a body.
    const [head = "", ...rest] = seen(upstream).split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^${method} /outer HTTP/1.1\r\n`));
    expect(rest.join("\r\n\r\n")).toBe(body);
    const framings = head.match(/^(?:content-length|transfer-encoding):/gim);
    expect(framings).toHaveLength(1);
    expect(records).toHaveLength(1);
  });

  test.each([
    [
      "both framings",
      ["Content-Length: 4", "Transfer-Encoding: chunked"],
      `0\r\n\r\n${SMUGGLED}`,
    ],
    [
      "both framings, turned",
      ["Transfer-Encoding: chunked", "Content-Length: 4"],
      `0\r\n\r\n${SMUGGLED}`,
    ],
    [
      "two lengths",
      ["Content-Length: 0", `Content-Length: ${SMUGGLED.length}`],
      SMUGGLED,
    ],
    ["two equal lengths", ["Content-Length: 2", "Content-Length: 2"], "ab"],
    ["a list of lengths", ["Content-Length: 2, 2"], "ab"],
    ["a signed length", ["Content-Length: +2"], "ab"],
    ["another coding", ["Transfer-Encoding: xchunked"], `0\r\n\r\n${SMUGGLED}`],
    [
      "a list of codings",
      ["Transfer-Encoding: gzip, chunked"],
      `0\r\n\r\n${SMUGGLED}`,
    ],
    [
      "identity and chunked",
      ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"],
      `0\r\n\r\n${SMUGGLED}`,
    ],
    [
      "chunked twice",
      ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
      "0\r\n\r\n",
    ],
    [
      "a space before the colon",
      ["Transfer-Encoding : chunked"],
      `0\r\n\r\n${SMUGGLED}`,
    ],
    [
      "a folded coding",
      ["Transfer-Encoding:\r\n chunked"],
      `0\r\n\r\n${SMUGGLED}`,
    ],
    [
      "a vertical tab",
      ["Transfer-Encoding: \vchunked"],
      `0\r\n\r\n${SMUGGLED}`,
    ],
    ["a bare LF", ["X: 1\nTransfer-Encoding: chunked"], `0\r\n\r\n${SMUGGLED}`],
    ["a bare CR", ["X: 1\rTransfer-Encoding: chunked"], `0\r\n\r\n${SMUGGLED}`],
    ["NUL", ["X: \0"], ""],
    [
      "a chunk size that is none",
      ["Transfer-Encoding: chunked"],
      `0x2\r\nab\r\n0\r\n\r\n`,
    ],
    [
      "a chunk that is too long",
      ["Transfer-Encoding: chunked"],
      `2\r\nabc\r\n0\r\n\r\n`,
    ],
    [
      "a chunk size with bare LF",
      ["Transfer-Encoding: chunked"],
      `2\nab\n0\n\n`,
    ],
    ["two Hosts", ["Host: app.test"], ""],
    ["two Hosts that differ", ["Host: other.test"], ""],
    ["a second Host with a space", ["Host : other.test"], ""],
  ])("with %s is refused whole", async (_, headers, body) => {
    const { send, upstream, records } = await useBoth();
    const text = await send(
      request(method, "/outer", ["Connection: close", ...headers], body),
    );
    expect(text).toMatch(/^HTTP\/1.1 (?:400|501) /);
    expect(text).toMatch(/\r\nExpose-Error: (?:request|host)-invalid\r\n/);
    expect(text.match(/HTTP\/1.1 /g)).toHaveLength(1);
    expect(seen(upstream)).not.toContain("/smuggled");
    expect(seen(upstream)).not.toContain("/outer");
    expect(records.length).toBeGreaterThan(0);
    expect(records.every(({ error }) => error !== undefined)).toBe(true);
  });

  test("of HTTP/1.0 with chunks is refused", async () => {
    const { send, upstream } = await useBoth();
    const text = await send(
      `${method} / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    );
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect(upstream.wires).toHaveLength(0);
  });

  test("with Upgrade: h2c and a body is a plain request, and the last one on its connection", async () => {
    const { send, upstream } = await useBoth();
    const text = await send(
      request(
        method,
        "/outer",
        [
          "Connection: Upgrade, HTTP2-Settings",
          "Upgrade: h2c",
          "HTTP2-Settings: AAMAAABk",
          `Content-Length: ${SMUGGLED.length}`,
        ],
        SMUGGLED + SMUGGLED,
      ),
    );
    expect(text).toMatch(/^HTTP\/1.1 200 [^]*\r\nConnection: close\r\n/);
    const got = seen(upstream);
    expect(got).toMatch(new RegExp(`^${method} /outer HTTP/1.1\r\n`));
    expect(got).not.toMatch(/upgrade|http2-settings|^connection/im);
    expect(got.endsWith(`\r\n\r\n${SMUGGLED}`)).toBe(true);
  });

  test("with Upgrade: websocket and a body is refused, and nothing of it is forwarded", async () => {
    for (const framing of ["Content-Length: 5", "Transfer-Encoding: chunked"]) {
      const { send, upstream } = await useBoth();
      const text = await send(
        request(
          method,
          "/outer",
          ["Connection: Upgrade", "Upgrade: websocket", framing],
          SMUGGLED,
        ),
      );
      expect(text).toMatch(
        /^HTTP\/1.1 400 [^]*\r\nExpose-Error: upgrade-refused\r\n/,
      );
      expect(upstream.wires).toHaveLength(0);
    }
  });
});

test("the connection that a refused request came on serves nothing else", async () => {
  const { send, upstream } = await useBoth();
  const text = await send(
    request(
      "POST",
      "/",
      ["Content-Length: 1", "Transfer-Encoding: chunked"],
      `0\r\n\r\n${get("/second")}`,
    ),
  );
  expect(text.match(/HTTP\/1.1 /g)).toHaveLength(1);
  expect(seen(upstream)).toBe("");
});

test.each([
  ["by the upstream", "app.test"],
  ["by the edge", "no.test"],
])(
  "what follows a request that said it was the last is nobody's, answered %s or not",
  async (_, host) => {
    const { send, records } = await useBoth();
    for (const rest of [SMUGGLED, "NONSENSE"]) {
      const text = await send(
        `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n${rest}`,
      );
      expect(text.match(/HTTP\/1.1 /g)).toHaveLength(1);
    }
    expect(records).toHaveLength(2);
  },
);

test("answers keep the order of their requests when the edge answers at once and the rest is malformed", async () => {
  const { send } = await useBoth();
  const unknown = "GET / HTTP/1.1\r\nHost: no.test\r\n\r\n";
  const text = await send(`${unknown.repeat(3)}NONSENSE\r\n\r\n`);
  expect(text.match(/HTTP\/1.1 \d+/g)).toEqual([
    "HTTP/1.1 404",
    "HTTP/1.1 404",
    "HTTP/1.1 404",
  ]);
});

test.each(["malformed", "ended"])(
  "the rest of a body that is %s, behind its answer, gets no second one",
  async (how) => {
    const { connect, records } = await useBoth();
    const wire = await connect();
    wire.write(
      "POST / HTTP/1.1\r\nHost: no.test\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    await wire.until("\r\n\r\n");
    if (how === "ended") wire.socket.end();
    else wire.write("zz\r\n");
    const text = await wire.untilEnded();
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 404"]);
    expect(records).toHaveLength(1);
  },
);

test("an upgrade right behind a request that the edge answered at once is not served", async () => {
  const { send, upstream } = await useBoth();
  const text = await send(
    `GET / HTTP/1.1\r\nHost: no.test\r\n\r\n${request("GET", "/", ["Connection: Upgrade", "Upgrade: websocket"]).replace("app.test", "no.test")}`,
  );
  expect(text.match(/HTTP\/1.1 /g)?.length ?? 0).toBeLessThan(2);
  expect(upstream.wires).toHaveLength(0);
});

test("a body that turns out malformed ends the upstream's connection in the middle of it", async () => {
  const { connect, upstream, record } = await useBoth();
  // An upstream that waits for the end of the body.
  const wire = await connect();
  wire.write(request("POST", "/", ["Transfer-Encoding: chunked", "X-Slow: 1"]));
  const server = await upstream.wire();
  await server.until("\r\n\r\n");
  expect((await record()).status).toBe(200);
  wire.write("zz\r\n");
  await wire.untilEnded();
  await server.untilEnded();
  expect(server.text).not.toContain("zz");
});

test.each([
  ["none", "GET / HTTP/1.1\r\n\r\n", 400, "host-invalid"],
  ["none, in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 400, "host-invalid"],
  ["an empty one", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "host-invalid"],
  [
    "userinfo",
    "GET / HTTP/1.1\r\nHost: x@app.test\r\n\r\n",
    400,
    "host-invalid",
  ],
  [
    "a path",
    "GET / HTTP/1.1\r\nHost: app.test/..\r\n\r\n",
    400,
    "host-invalid",
  ],
  [
    "a space",
    "GET / HTTP/1.1\r\nHost: app.test x\r\n\r\n",
    400,
    "host-invalid",
  ],
  [
    "a foreign name",
    "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    421,
    "host-unknown",
  ],
  [
    "an address",
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    421,
    "host-unknown",
  ],
  [
    "a name that nobody has",
    "GET / HTTP/1.1\r\nHost: no.test\r\n\r\n",
    404,
    "tunnel-unknown",
  ],
  [
    "another one in the target",
    "GET http://no.test/ HTTP/1.1\r\nHost: app.test\r\n\r\n",
    400,
    "host-invalid",
  ],
  [
    "a forward proxy's CONNECT",
    "CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n",
    405,
    "request-invalid",
  ],
  [
    "an asterisk",
    "GET * HTTP/1.1\r\nHost: app.test\r\n\r\n",
    400,
    "request-invalid",
  ],
])(
  "a request whose Host is %s never reaches the upstream",
  async (_, text, status, code) => {
    const { connect, upstream, record } = await useBoth();
    const wire = await connect();
    wire.write(text);
    await wire.until("\r\n\r\n");
    expect(wire.text).toMatch(
      new RegExp(`^HTTP/1.1 ${status} [^]*\r\nExpose-Error: ${code}\r\n`),
    );
    expect(await record()).toMatchObject({
      status,
      error: code,
      visitor: "127.0.0.1",
    });
    expect(upstream.wires).toHaveLength(0);
  },
);

test.each(["HTTP/0.9", "HTTP/2.0", ""])(
  'a request whose version is "%s" never reaches the upstream, and is the last',
  async (version) => {
    const { send, upstream } = await useBoth();
    const text = await send(
      `GET / ${version}\r\nHost: app.test\r\n\r\n${SMUGGLED}`.replace(
        "/ \r",
        "/\r",
      ),
    );
    expect(text).toMatch(/^HTTP\/1.1 505 /);
    expect(text.match(/HTTP\/1.1 /g)).toHaveLength(1);
    expect(upstream.wires).toHaveLength(0);
  },
);

test("CONNECT ends its connection, whatever follows", async () => {
  const { send, upstream } = await useBoth();
  const text = await send(
    `CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n${SMUGGLED}`,
  );
  expect(text).toMatch(/^HTTP\/1.1 405 /);
  expect(text.match(/HTTP\/1.1 /g)).toHaveLength(1);
  expect(upstream.wires).toHaveLength(0);
});

test("what a request says of its visitor is not believed", async () => {
  const { send, upstream } = await useBoth();
  await send(
    get(
      "/",
      "X-Forwarded-For: 6.6.6.6",
      "x_forwarded_for: 6.6.6.6",
      "Forwarded: for=6.6.6.6",
      "X-Forwarded-Proto: https",
      "X-Real-IP: 6.6.6.6",
      "Connection: X-Forwarded-For, X-Forwarded-Proto, Host",
    ),
  );
  const { text } = upstream.wires[0]!;
  expect(text).not.toContain("6.6.6.6");
  expect(text).toContain("\r\nHost: app.test\r\n");
  expect(text).toContain("\r\nX-Forwarded-For: 127.0.0.1\r\n");
  expect(text).toContain("\r\nX-Forwarded-Proto: http\r\n");
  expect(text).toContain("\r\nForwarded: for=127.0.0.1;");
});

test("behind a trusted proxy the visitor is who it says", async () => {
  const upstream = await useCannedUpstream(OK);
  const { send, record } = await useEdge(upstream.port, {
    trustedProxies: ["127.0.0.0/8"],
    publicScheme: "https",
  });
  await send(get("/", "X-Forwarded-For: 6.6.6.6, 203.0.113.9"));
  expect(upstream.wires[0]!.text).toContain(
    "\r\nX-Forwarded-For: 203.0.113.9, 127.0.0.1\r\nX-Forwarded-Proto: https\r\n",
  );
  expect((await record()).visitor).toBe("203.0.113.9");
});
