// What passes through a tunnel: every byte, both ways, at once, and nothing else.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import {
  afterAll,
  afterEach,
  beforeAll,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Tunnel } from "@expose/client";
import { echo, startUpstream } from "../harness/upstreams.ts";
import { dialEdge, visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

describeIngress("HTTP through a tunnel", (ingress) => {
  let world: World;
  const open: Tunnel[] = [];
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((tunnel) => tunnel.close()));
  });
  afterAll(() => world.stop());

  async function tunnelTo(port: number): Promise<Tunnel> {
    const tunnel = await world.expose({ port });
    open.push(tunnel);
    return tunnel;
  }

  it.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "carries %s with a body, byte for byte",
    async (method) => {
      const upstream = await startUpstream(echo);
      const { url } = await tunnelTo(upstream.port);
      const body = randomBytes(300_000);
      const { status, body: got } = await visit(url, "/echo", {
        method,
        body,
        headers: { "content-length": String(body.length) },
      });
      expect(status).toBe(200);
      expect(got.equals(body)).toBe(true);
      expect(upstream.seen).toEqual([`${method} /echo`]);
    },
  );

  it("keeps the target, and the order, case and number of header fields, and says who the visitor is", async () => {
    const upstream = await startUpstream((request, response) => {
      response.sendDate = false;
      response.writeHead(200, [
        "X-First",
        "1",
        "x-FIRST",
        "2",
        "Content-Type",
        "application/json",
      ]);
      response.end(
        JSON.stringify({ url: request.url, raw: request.rawHeaders }),
      );
    });
    const { url } = await tunnelTo(upstream.port);
    const socket = await dialEdge(url);
    onTestFinished(() => void socket.destroy());
    const { host } = new URL(url);
    socket.write(
      `GET //a/../b%2Fc?q=%20&&= HTTP/1.1\r\nHost: ${host}\r\nX-B: 2\r\nx-a: 1\r\nX-B: 3\r\nX-Forwarded-For: 198.51.100.7\r\nConnection: close, X-Secret\r\nX-Secret: s\r\n\r\n`,
    );
    let answer = "";
    socket.on("data", (chunk) => (answer += String(chunk)));
    await once(socket, "close");
    const { url: target, raw } = JSON.parse(
      answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1),
    ) as { url: string; raw: string[] };
    expect(target).toBe("//a/../b%2Fc?q=%20&&=");
    const text = raw.join("\n");
    expect(text).toContain(`Host\n${host}\nX-B\n2\nx-a\n1\nX-B\n3`);
    expect(text).toContain("X-Forwarded-For\n127.0.0.1");
    expect(text).not.toContain("198.51.100.7");
    expect(text).not.toContain("X-Secret");
    expect(answer).toMatch(/X-First: 1\r\nx-FIRST: 2\r\n/);
  });

  it("passes trailers on, both ways", async () => {
    const upstream = await startUpstream((request, response) => {
      request.resume().on("end", () => {
        response.writeHead(200, { trailer: "X-Sum" });
        response.write("body");
        response.addTrailers({ "X-Sum": String(request.trailers["x-count"]) });
        response.end();
      });
    });
    const { url } = await tunnelTo(upstream.port);
    const { host, port } = new URL(url);
    const request = httpRequest({
      host: "127.0.0.1",
      port,
      method: "POST",
      headers: { host, trailer: "X-Count", "transfer-encoding": "chunked" },
      agent: false,
    });
    request.addTrailers({ "X-Count": "7" });
    request.end("hello");
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    expect(response.trailers).toEqual({ "x-sum": "7" });
  });

  it("asks the local service before it lets a visitor with Expect: 100-continue go on", async () => {
    const upstream = await startUpstream(echo);
    upstream.server.on("checkContinue", (request, response) => {
      if (request.headers["x-want"] === "yes") {
        response.writeContinue();
        request.pipe(response);
      } else {
        response.writeHead(403, { connection: "close" });
        response.end();
      }
    });
    const { url } = await tunnelTo(upstream.port);
    const ask = async (
      want: string,
    ): Promise<{ went: boolean; status: number }> => {
      const { host, port } = new URL(url);
      const request = httpRequest({
        host: "127.0.0.1",
        port,
        method: "PUT",
        headers: {
          host,
          expect: "100-continue",
          "content-length": "5",
          "x-want": want,
        },
        agent: false,
      });
      request.on("error", () => {});
      onTestFinished(() => void request.destroy());
      let went = false;
      request.on("continue", () => {
        went = true;
        request.end("12345");
      });
      request.flushHeaders();
      const [response] = (await once(request, "response")) as [IncomingMessage];
      response.resume();
      return { went, status: response.statusCode! };
    };
    expect(await ask("yes")).toEqual({ went: true, status: 200 });
    expect(await ask("no")).toEqual({ went: false, status: 403 });
  });

  it("hands early hints on before the answer is there", async () => {
    let finish!: () => void;
    const upstream = await startUpstream((_, response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      finish = () => response.end("done");
    });
    const { url } = await tunnelTo(upstream.port);
    const { host, port } = new URL(url);
    const request = httpRequest({
      host: "127.0.0.1",
      port,
      headers: { host },
      agent: false,
    });
    request.end();
    const [hints] = (await once(request, "information")) as [
      { statusCode: number; headers: { link: string } },
    ];
    expect(hints.statusCode).toBe(103);
    expect(hints.headers.link).toBe("</style.css>; rel=preload");
    finish();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(200);
  });

  it("hands each event of an event stream on before the next one is made", async () => {
    let send!: (text: string) => void;
    const upstream = await startUpstream((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      send = (text) => void response.write(`data: ${text}\n\n`);
    });
    const { url } = await tunnelTo(upstream.port);
    const { host, port } = new URL(url);
    const request = httpRequest({
      host: "127.0.0.1",
      port,
      headers: { host },
      agent: false,
    });
    request.on("error", () => {});
    onTestFinished(() => void request.destroy());
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.on("error", () => {});
    for (const text of ["one", "two", "three"]) {
      send(text);
      const [chunk] = (await once(response, "data")) as [Buffer];
      expect(String(chunk)).toBe(`data: ${text}\n\n`);
    }
  });

  it("tells the local service when a visitor leaves, and the visitor when the service breaks off", async () => {
    let arrived!: (request: IncomingMessage) => void;
    const asked = new Promise<IncomingMessage>(
      (resolve) => (arrived = resolve),
    );
    const upstream = await startUpstream((request, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("some", () => {
        if (request.url === "/break") response.socket!.destroy();
        else arrived(request);
      });
    });
    const { url } = await tunnelTo(upstream.port);
    const { host, port } = new URL(url);
    const request = httpRequest({
      host: "127.0.0.1",
      port,
      path: "/leave",
      headers: { host },
      agent: false,
    });
    request.on("error", () => {});
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.on("error", () => {});
    const upstreamRequest = await asked;
    const gone = once(upstreamRequest.socket, "close");
    request.destroy();
    await gone;
    await expect(visit(url, "/break")).rejects.toThrow(
      /aborted|hang up|ECONNRESET/,
    );
  });

  it("answers HEAD, 204 and 304 without a body, and goes on with the same connection", async () => {
    const upstream = await startUpstream((request, response) => {
      if (request.url === "/204") response.writeHead(204);
      if (request.url === "/304") response.writeHead(304, { etag: '"x"' });
      response.end(
        request.method === "HEAD"
          ? undefined
          : request.url === "/"
            ? "body"
            : undefined,
      );
    });
    const { url } = await tunnelTo(upstream.port);
    expect(await visit(url, "/", { method: "HEAD" })).toMatchObject({
      status: 200,
      text: "",
    });
    expect(await visit(url, "/204")).toMatchObject({ status: 204, text: "" });
    expect(await visit(url, "/304")).toMatchObject({ status: 304, text: "" });
    expect((await visit(url, "/")).text).toBe("body");
  });

  it("carries WebSockets: text, large binary messages, pings, close codes, and many at once", async () => {
    const upstream = await startUpstream(echo);
    const sockets = new WebSocketServer({
      server: upstream.server,
      path: "/ws",
    });
    onTestFinished(() => void sockets.close());
    sockets.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => {
        if (String(data) === "bye") socket.close(4_001, "as you wish");
        else socket.send(data, { binary: isBinary });
      });
    });
    const { url } = await tunnelTo(upstream.port);
    const { host, port } = new URL(url);
    const dial = async (): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, {
        headers: { host },
      });
      onTestFinished(() => socket.terminate());
      await once(socket, "open");
      return socket;
    };
    const socket = await dial();
    socket.send("hello");
    expect(String((await once(socket, "message"))[0])).toBe("hello");
    const large = randomBytes(3_000_000);
    socket.send(large);
    expect(((await once(socket, "message"))[0] as Buffer).equals(large)).toBe(
      true,
    );
    socket.ping("are you there");
    expect(String((await once(socket, "pong"))[0])).toBe("are you there");
    const many = await Promise.all(Array.from({ length: 50 }, dial));
    await Promise.all(
      many.map(async (each, i) => {
        each.send(`number ${i}`);
        expect(String((await once(each, "message"))[0])).toBe(`number ${i}`);
      }),
    );
    socket.send("bye");
    const [code, reason] = (await once(socket, "close")) as [number, Buffer];
    expect({ code, reason: String(reason) }).toEqual({
      code: 4_001,
      reason: "as you wish",
    });
  });

  it("serves 200 visitors at once, each with an answer of their own", async () => {
    const upstream = await startUpstream((request, response) => {
      setImmediate(() => response.end(`for ${request.url}`));
    });
    const { url } = await tunnelTo(upstream.port);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => visit(url, `/${i}`)),
    );
    expect(answers.map(({ text }) => text)).toEqual(
      answers.map((_, i) => `for /${i}`),
    );
  });

  it("hashes alike on both ends after 64 MB each way, for a visitor who stops now and then", async () => {
    const block = randomBytes(1_000_000);
    const upstream = await startUpstream((request, response) => {
      const hash = createHash("sha256");
      request.on("data", (chunk: Buffer) => {
        hash.update(chunk);
        if (!response.write(chunk)) {
          request.pause();
          response.once("drain", () => request.resume());
        }
      });
      request.on("end", () => {
        response.addTrailers({ "X-Hash": hash.digest("hex") });
        response.end();
      });
    });
    const { url } = await tunnelTo(upstream.port);
    const { host, port } = new URL(url);
    const request = httpRequest({
      host: "127.0.0.1",
      port,
      method: "POST",
      headers: { host, "transfer-encoding": "chunked" },
      agent: false,
    });
    const sent = createHash("sha256");
    const got = createHash("sha256");
    const answered = once(request, "response") as Promise<[IncomingMessage]>;
    const sending = (async () => {
      for (let i = 0; i < 64; i++) {
        sent.update(block);
        if (!request.write(block)) await once(request, "drain");
      }
      request.end();
    })();
    const [response] = await answered;
    let chunks = 0;
    response.on("data", (chunk: Buffer) => {
      got.update(chunk);
      if (++chunks % 50 === 0) {
        response.pause();
        setImmediate(() => response.resume());
      }
    });
    await Promise.all([sending, once(response, "end")]);
    const hash = sent.digest("hex");
    expect(got.digest("hex")).toBe(hash);
    expect(response.trailers["x-hash"]).toBe(hash);
  });

  it("gives visitors who ask for much at once what is theirs, those who read it late included", async () => {
    const bodies = Array.from({ length: 16 }, () => randomBytes(6_000_000));
    const upstream = await startUpstream((request, response) => {
      const n = Number(request.url!.slice(1));
      if (n % 2 === 0) response.setHeader("Content-Length", bodies[n]!.length);
      response.end(bodies[n]);
    });
    const { url } = await tunnelTo(upstream.port);
    const { host, port } = new URL(url);
    const ask = async (n: number): Promise<IncomingMessage> => {
      const request = httpRequest({
        ...{ host: "127.0.0.1", port, path: `/${n}`, agent: false },
        headers: { host },
      });
      request.end();
      const [response] = (await once(request, "response")) as [IncomingMessage];
      response.pause();
      return response;
    };
    const read = async (response: IncomingMessage, n: number) => {
      const got: Buffer[] = [];
      for await (const chunk of response) got.push(chunk as Buffer);
      return Buffer.concat(got).equals(bodies[n]!);
    };
    const responses = await Promise.all(bodies.map((_, n) => ask(n)));
    // What the late ones have not taken yet waits in the edge while the others' passes.
    const isLate = (n: number): boolean => n % 4 > 1;
    for (const late of [false, true])
      expect(
        await Promise.all(
          responses.map(
            async (response, n) =>
              isLate(n) !== late || (await read(response, n)),
          ),
        ),
      ).toEqual(bodies.map(() => true));
  });
});
