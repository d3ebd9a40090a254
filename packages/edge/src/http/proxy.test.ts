import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { describe, expect, test } from "vitest";
import {
  get,
  request,
  useCannedUpstream,
  useEdge,
  useHttpUpstream,
  useRawUpstream,
} from "./edge.fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("a request", () => {
  test("reaches the upstream with its target, order, case and duplicates unchanged", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send } = await useEdge(upstream.port);
    await send(
      "GET //a/..//%2F%2e?b=%20&b=2#c HTTP/1.1\r\nX-b: 1\r\nhOST: APP.test.:80\r\nx-B: \t2 \t\r\nCookie: a=1\r\nAccept: */*\r\ncookie: b=2\r\nX-Bytes: \u00c3\u00a9\u00ff\r\nEmpty:\r\nConnection: close\r\n\r\n",
    );
    expect(upstream.wires[0]!.text).toBe(
      "GET //a/..//%2F%2e?b=%20&b=2#c HTTP/1.1\r\nX-b: 1\r\nhOST: APP.test.:80\r\nx-B: 2\r\nCookie: a=1\r\nAccept: */*\r\ncookie: b=2\r\nX-Bytes: \u00c3\u00a9\u00ff\r\nEmpty: \r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: APP.test.:80\r\nX-Forwarded-Port: 8000\r\n\r\n",
    );
  });

  test("in absolute-form goes on in origin-form", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send } = await useEdge(upstream.port);
    await send(
      "GET http://app.test//x/../y?z HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n",
    );
    expect(upstream.wires[0]!.text).toMatch(
      /^GET \/\/x\/..\/y\?z HTTP\/1.1\r\n/,
    );
  });

  test("with a small body goes out in one piece with it", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.socket.once("data", (first: string) => {
        expect(first).toMatch(/\r\n\r\nhello$/);
        wire.write(OK);
      });
    });
    const { send } = await useEdge(upstream.port);
    const answer = await send(
      request("POST", "/", ["Content-Length: 5", "Connection: close"], "hello"),
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  test.each([
    "GET",
    "DELETE",
    "OPTIONS",
    "HEAD",
    "PUT",
    "POST",
    "PATCH",
    "PROPFIND",
  ])("%s keeps its body, with a length and in chunks", async (method) => {
    const upstream = await useRawUpstream((wire) => {
      wire.when(/hello$|\r\n0\r\n\r\n$/, () =>
        wire.write("HTTP/1.1 204 X\r\n\r\n"),
      );
    });
    const { send } = await useEdge(upstream.port);
    await send(
      request(method, "/", ["Content-Length: 5", "Connection: close"], "hello"),
    );
    expect(upstream.wires[0]!.text).toMatch(
      /^[A-Z]+ \/ HTTP\/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n[^]*\r\n\r\nhello$/,
    );
    expect(upstream.wires[0]!.text).not.toMatch(/transfer-encoding/i);
    upstream.wires[0]!.socket.destroy();
    await upstream.wires[0]!.untilClosed();
    await send(
      request(
        method,
        "/",
        ["Transfer-Encoding: chunked", "Connection: close"],
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
      ),
    );
    const text = upstream.wires[1]!.text;
    expect(text).toMatch(
      /\r\nTransfer-Encoding: chunked\r\n[^]*\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n$/,
    );
    expect(text).not.toMatch(/content-length/i);
  });

  test("keeps its trailers", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.when("\r\n0\r\n", () => wire.write(OK));
    });
    const { send } = await useEdge(upstream.port);
    await send(
      request(
        "POST",
        "/",
        [
          "Transfer-Encoding: chunked",
          "Trailer: X-Sum",
          "TE: trailers",
          "Connection: close",
        ],
        "5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\nX-Forwarded-For: 6.6.6.6\r\nHost: evil\r\n\r\n",
      ),
    );
    const { text } = upstream.wires[0]!;
    expect(text).toContain("Trailer: X-Sum\r\n");
    expect(text).not.toContain("TE:");
    expect(text).toMatch(
      /\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n$/,
    );
  });

  test("of HTTP/1.0 goes on as HTTP/1.1, and its answer ends with the connection", async () => {
    const upstream = await useCannedUpstream(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
    );
    const { send } = await useEdge(upstream.port);
    const answer = await send(
      "GET / HTTP/1.0\r\nHost: app.test\r\nTE: chunked\r\nConnection: keep-alive\r\n\r\n",
    );
    expect(upstream.wires[0]!.text).toMatch(/^GET \/ HTTP\/1.1\r\n/);
    expect(answer).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
  });

  test("of HTTP/1.0 that asks for it keeps its connection when the length is known", async () => {
    const upstream = await useCannedUpstream(OK);
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    const text =
      "GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n";
    wire.write(text);
    await wire.until(/ok$/);
    wire.write(text);
    await wire.until(/ok.*ok$/s);
  });

  test("that is pipelined waits for the answer before it", async () => {
    const order: string[] = [];
    const upstream = await useHttpUpstream((incoming, response) => {
      order.push(`begin ${incoming.url}`);
      setImmediate(() => {
        order.push(`end ${incoming.url}`);
        response.end(incoming.url);
      });
      incoming.resume();
    });
    const { connect, records } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(
      `${request("POST", "/1", ["Content-Length: 1"], "x")}${request("GET", "/2")}${request("GET", "/unknown", [])}${get("/3")}`,
    );
    const text = await wire.untilEnded();
    expect(order).toEqual([
      ...["begin /1", "end /1", "begin /2", "end /2"],
      ...["begin /unknown", "end /unknown", "begin /3", "end /3"],
    ]);
    expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(4);
    expect(records.map(({ target }) => target)).toEqual([
      "/1",
      "/2",
      "/unknown",
      "/3",
    ]);
  });

  test("that is pipelined behind one that the edge answers itself gets its own answer", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send } = await useEdge(upstream.port);
    const unknown = "GET /a HTTP/1.1\r\nHost: no.test\r\n\r\n";
    const text = await send(unknown + request("GET", "/b") + unknown + get());
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual([
      "HTTP/1.1 404",
      "HTTP/1.1 200",
      "HTTP/1.1 404",
      "HTTP/1.1 200",
    ]);
  });
});

describe("an answer", () => {
  test("keeps its order, case, duplicates, reason and bytes, and gets no Date", async () => {
    const upstream = await useCannedUpstream(
      "HTTP/1.1 299 Quite  fine\r\nx-b: 1\r\nServer: \u00e9\r\nSet-Cookie: a\r\nX-B: 2\r\nset-cookie: b\r\nContent-Length: 2\r\nKeep-Alive: timeout=9\r\nExpose-Error: upstream-down\r\nEmpty:\r\n\r\n\u0000\u00ff",
    );
    const { send } = await useEdge(upstream.port);
    expect(await send(get())).toBe(
      "HTTP/1.1 299 Quite  fine\r\nx-b: 1\r\nServer: \u00e9\r\nSet-Cookie: a\r\nX-B: 2\r\nset-cookie: b\r\nContent-Length: 2\r\nEmpty: \r\nConnection: close\r\n\r\n\u0000\u00ff",
    );
  });

  test("keeps the upstream's Date", async () => {
    const date = "Date: Thu, 01 Jan 1970 00:00:00 GMT";
    const upstream = await useCannedUpstream(
      `HTTP/1.1 204 \r\n${date}\r\n\r\n`,
    );
    const { send } = await useEdge(upstream.port);
    expect((await send(get())).match(/Date: .*/g)).toEqual([date]);
  });

  test("in chunks keeps its trailers", async () => {
    const upstream = await useCannedUpstream(
      "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\nSet-Cookie: no\r\n\r\n",
    );
    const { send } = await useEdge(upstream.port);
    expect(await send(get())).toBe(
      "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
    );
  });

  test("until the end of the upstream's connection arrives in chunks", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.socket.once("data", () =>
        wire.socket.end("HTTP/1.0 200 OK\r\nTrailer: X\r\n\r\nhello"),
      );
    });
    const { send } = await useEdge(upstream.port);
    expect(await send(get())).toMatch(
      /Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/,
    );
  });

  test.each([
    ["HEAD", "200 OK", "Content-Length: 9"],
    ["HEAD", "200 OK", "Transfer-Encoding: chunked"],
    ["GET", "304 Not Modified", "Content-Length: 9"],
    ["GET", "204 No Content", "Content-Length: 0"],
    ["GET", "204 No Content", "Transfer-Encoding: chunked"],
    ["GET", "304 Not Modified", "Trailer: X\r\nTransfer-Encoding: chunked"],
  ])(
    "to %s with %s and %s has no body, and the connection serves on",
    async (method, status, field) => {
      const upstream = await useCannedUpstream(
        `HTTP/1.1 ${status}\r\n${field}\r\n\r\n`,
      );
      const { connect, forward } = await useEdge(upstream.port);
      const wire = await connect();
      wire.write(request(method, "/1"));
      await wire.until("\r\n\r\n");
      wire.write(request(method, "/2"));
      await wire.until(/\r\n\r\n.*\r\n\r\n/s);
      const heads = wire.text.split("\r\n\r\n");
      expect(heads[2]).toBe("");
      const kept = field.startsWith("Content-Length: 9");
      expect(heads[0]!.includes("Content-Length")).toBe(kept);
      expect(heads[0]).not.toMatch(/Transfer-Encoding|Trailer/);
      expect(forward.connects).toBe(1);
    },
  );

  test("that took long leaves a connection that no POST is sent on: the upstream may be about to close it", async () => {
    const upstream = await useRawUpstream();
    const { advance, connect } = await useEdge(upstream.port);
    const visitor = await connect();
    visitor.write(request("GET", "/long"));
    const first = await upstream.wire(0);
    await first.until(/\r\n\r\n$/);
    first.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlo");
    await visitor.until(/lo$/);
    await advance(1_500);
    first.write("ng");
    await visitor.until(/long$/);

    visitor.write(request("POST", "/order", ["Content-Length: 1"], "1"));
    const second = await upstream.wire(1);
    await second.until(/\r\n\r\n1$/);
    expect(first.text).not.toMatch(/POST/);
  });

  test("of server-sent events arrives event by event, head first", async () => {
    const upstream = await useRawUpstream();
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("GET", "/events"));
    const server = await upstream.wire();
    await server.until("\r\n\r\n");
    server.write(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    await wire.until("\r\n\r\n");
    server.write("9\r\ndata: 1\n\n\r\n");
    await wire.until("data: 1\n\n");
    server.write("9\r\ndata: 2\n\n\r\n");
    await wire.until("data: 2\n\n");
  });

  test("that comes before the request is complete is passed on, and the connection is not used again", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.when("\r\n\r\n", () =>
        wire.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
      );
    });
    const { connect, forward, record } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(request("POST", "/", ["Content-Length: 10"], "12345"));
    await wire.until(/413.*no$/s);
    expect((await record()).status).toBe(413);
    await upstream.wires[0]!.untilEnded();
    // The rest of the body is dropped, and the visitor's connection serves on.
    wire.write(`67890${request("GET", "/next")}`);
    await (await upstream.wire(1)).until("GET /next HTTP/1.1");
    expect(forward.connects).toBe(2);
    expect(upstream.wires[0]!.text).not.toContain("67890");
  });
});

describe("interim answers", () => {
  test("103 is passed on as it came, 100 unasked and others are not", async () => {
    const upstream = await useCannedUpstream(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLINK: </a>; rel=x\r\nlink: <b>\r\nConnection: X-Drop\r\nX-Drop: 1\r\n\r\n${OK}`,
    );
    const { send } = await useEdge(upstream.port);
    expect(await send(get())).toBe(
      "HTTP/1.1 103 Early Hints\r\nLINK: </a>; rel=x\r\nlink: <b>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    );
  });

  test("HTTP/1.0 gets none", async () => {
    const upstream = await useCannedUpstream(
      `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${OK}`,
    );
    const { send } = await useEdge(upstream.port);
    expect(await send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n")).toMatch(
      /^HTTP\/1.1 200/,
    );
  });
});

describe("Expect: 100-continue", () => {
  const expecting = request("POST", "/", [
    "Expect: 100-Continue",
    "Content-Length: 5",
  ]);

  test("is passed on, and the upstream's 100 comes back before the body goes", async () => {
    const upstream = await useRawUpstream();
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(expecting);
    const server = await upstream.wire();
    await server.until(/Expect: 100-continue\r\n.*\r\n\r\n$/s);
    expect(wire.text).toBe("");
    server.write("HTTP/1.1 100 Continue\r\n\r\n");
    await wire.until("HTTP/1.1 100 Continue\r\n\r\n");
    wire.write("hello");
    await server.until(/hello$/);
    server.write(OK);
    await wire.until(/ok$/);
    wire.write(request("GET", "/again"));
    await server.until("GET /again");
  });

  test("is answered by the edge when the upstream says nothing for a while", async () => {
    const upstream = await useRawUpstream();
    const { connect, advance } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(expecting);
    await (await upstream.wire()).until("\r\n\r\n");
    await advance(1_001);
    await wire.until("HTTP/1.1 100 Continue\r\n\r\n");
    wire.write("hello");
    const server = await upstream.wire();
    await server.until(/hello$/);
    // Too late, and not passed on a second time.
    server.write(`HTTP/1.1 100 Continue\r\n\r\n${OK}`);
    await wire.until(/ok$/);
    expect(wire.text.match(/100 Continue/g)).toHaveLength(1);
  });

  test("may be answered with the final status at once; neither connection is used again", async () => {
    const upstream = await useRawUpstream((wire) => {
      wire.when("\r\n\r\n", () =>
        wire.write("HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno"),
      );
    });
    const { connect } = await useEdge(upstream.port);
    const wire = await connect();
    wire.write(expecting);
    const text = await wire.untilEnded();
    expect(text).toBe(
      "HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    );
    await upstream.wires[0]!.untilEnded();
    expect(upstream.wires[0]!.text).not.toContain("hello");
  });

  test("without a body means nothing", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send } = await useEdge(upstream.port);
    await send(get("/", "Expect: 100-continue"));
    expect(upstream.wires[0]!.text).not.toContain("Expect");
  });

  test("of HTTP/1.0 means nothing", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send } = await useEdge(upstream.port);
    const text = await send(
      "POST / HTTP/1.0\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    );
    expect(text).toMatch(/^HTTP\/1.1 200/);
    expect(upstream.wires[0]!.text).not.toContain("Expect");
  });

  test.each(["200-ok", "100-continue, other"])(
    "%s is an expectation that cannot be met",
    async (expectation) => {
      const upstream = await useCannedUpstream(OK);
      const { send, record } = await useEdge(upstream.port);
      const text = await send(get("/", `Expect: ${expectation}`));
      expect(text).toMatch(/^HTTP\/1.1 417/);
      expect((await record()).error).toBe("request-invalid");
      expect(upstream.wires).toHaveLength(0);
    },
  );
});

describe("bodies", () => {
  test.each([0, 1, 1_000, 65_536, 1_000_000, 8_000_000])(
    "of %d bytes arrive unchanged both ways, with a length and in chunks",
    async (size) => {
      const body = randomBytes(size);
      const upstream = await useHttpUpstream((incoming, response) => {
        if (incoming.url === "/length")
          response.setHeader("Content-Length", size);
        incoming.pipe(response);
      });
      const { port, record } = await useEdge(upstream.port);
      for (const [index, path] of ["/length", "/chunks"].entries()) {
        const outgoing = http.request({
          ...{ port, path, method: "PUT", agent: false },
          headers: {
            Host: "app.test",
            ...(path === "/length"
              ? { "Content-Length": size }
              : { "Transfer-Encoding": "chunked" }),
          },
        });
        outgoing.end(body);
        const [response] = (await once(outgoing, "response")) as [
          http.IncomingMessage,
        ];
        const hash = createHash("sha256");
        for await (const piece of response) hash.update(piece as Buffer);
        expect(hash.digest("hex")).toBe(
          createHash("sha256").update(body).digest("hex"),
        );
        expect(await record(index)).toMatchObject({
          bytesIn: size,
          bytesOut: size,
          status: 200,
          error: undefined,
        });
      }
    },
  );
});

describe("the host header policy", () => {
  test("rewrite shows the upstream its own address", async () => {
    const upstream = await useCannedUpstream(OK);
    const { send, tunnel } = await useEdge(upstream.port);
    tunnel.hostHeader = "rewrite";
    await send(
      get(
        "/",
        "Origin: http://app.test:8000",
        "Referer: http://app.test:8000/x",
      ),
    );
    const { text } = upstream.wires[0]!;
    expect(text).toContain("\r\nHost: localhost:8080\r\n");
    expect(text).toContain("\r\nOrigin: http://localhost:8080\r\n");
    expect(text).toContain("\r\nReferer: http://localhost:8080/x\r\n");
    expect(text).toContain("\r\nX-Forwarded-Host: app.test\r\n");
  });
});

test("a record tells what happened", async () => {
  const upstream = await useCannedUpstream(OK);
  const { send, record } = await useEdge(upstream.port, {
    now: () => 1_700_000_000_000,
    clock: () => performance.now(),
  });
  await send(
    request(
      "POST",
      "/a?b",
      ["X-A: 1", "Content-Length: 5", "Connection: close"],
      "hello",
    ),
  );
  const told = await record();
  expect(told).toMatchObject({
    startedAt: 1_700_000_000_000,
    tunnel: "app",
    identity: "alice",
    visitor: "127.0.0.1",
    method: "POST",
    target: "/a?b",
    host: "app.test",
    httpVersion: "1.1",
    status: 200,
    error: undefined,
    upgraded: false,
    bytesIn: 5,
    bytesOut: 2,
    retried: false,
  });
  expect(told.rawHeaders).toContain("X-A");
  expect(told.routeMs).toBeGreaterThan(0);
  expect(told.connectMs).toBeGreaterThanOrEqual(told.routeMs);
  expect(told.firstByteMs).toBeGreaterThanOrEqual(told.connectMs!);
  expect(told.totalMs).toBeGreaterThanOrEqual(told.firstByteMs!);
});
