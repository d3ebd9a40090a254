// What the quick lane takes, Node's parser must read in the very same way: both are shown the same heads.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import net from "node:net";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { parsePlainRequest } from "./plain-request.ts";

const HOST = "Host: app.test\r\n";

const parse = (text: string): ReturnType<typeof parsePlainRequest> =>
  parsePlainRequest(Buffer.from(text, "latin1"));

describe("a plain request", () => {
  test("is read as it stands", () => {
    expect(
      parse(
        `GET /a//b?c=%2F HTTP/1.1\r\n${HOST}accept: */*\r\nX-A: 1,  2\r\nX-a: :\r\n\r\n`,
      ),
    ).toEqual({
      method: "GET",
      url: "/a//b?c=%2F",
      httpVersion: "1.1",
      httpVersionMinor: 1,
      rawHeaders: [
        ...["Host", "app.test", "accept", "*/*"],
        ...["X-A", "1,  2", "X-a", ":"],
      ],
      endsConnection: false,
      closes: false,
    });
  });

  test.each([
    ["close", true],
    ["Close", true],
    ["keep-alive", false],
  ])("may say Connection: %s", (option, closes) => {
    expect(
      parse(`HEAD / HTTP/1.1\r\n${HOST}Connection: ${option}\r\n\r\n`),
    ).toMatchObject({ method: "HEAD", closes });
  });
});

test.each([
  ["in part", `GET / HTTP/1.1\r\n${HOST}`],
  ["without its last byte", `GET / HTTP/1.1\r\n${HOST}\r`],
  ["with another behind it", `GET / HTTP/1.1\r\n${HOST}\r\n`.repeat(2)],
  ["with a byte behind it", `GET / HTTP/1.1\r\n${HOST}\r\n\n`],
  ["behind an empty line", `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`],
  ["without a field", "GET / HTTP/1.1\r\n\r\n"],
  ["with another method", `POST / HTTP/1.1\r\n${HOST}\r\n`],
  ["in lower case", `get / HTTP/1.1\r\n${HOST}\r\n`],
  ["in absolute-form", `GET http://app.test/ HTTP/1.1\r\n${HOST}\r\n`],
  ["with a fragment", `GET /#a HTTP/1.1\r\n${HOST}\r\n`],
  ["with a space in its target", `GET /a b HTTP/1.1\r\n${HOST}\r\n`],
  ["with 8 bits in its target", `GET /\xe9 HTTP/1.1\r\n${HOST}\r\n`],
  ["of HTTP/1.0", `GET / HTTP/1.0\r\n${HOST}\r\n`],
  ["of HTTP/1.2", `GET / HTTP/1.2\r\n${HOST}\r\n`],
  ["with bare LF", `GET / HTTP/1.1\n${HOST}\r\n`],
  ["with LF in a field", `GET / HTTP/1.1\r\n${HOST}A: b\nC: d\r\n\r\n`],
  ["with CR in a field", `GET / HTTP/1.1\r\n${HOST}A: b\rC: d\r\n\r\n`],
  ["with NUL in a field", `GET / HTTP/1.1\r\n${HOST}A: b\0\r\n\r\n`],
  ["with 8 bits in a field", `GET / HTTP/1.1\r\n${HOST}A: \xe9\r\n\r\n`],
  ["with a folded field", `GET / HTTP/1.1\r\n${HOST}A: b\r\n c\r\n\r\n`],
  ["with an empty field", `GET / HTTP/1.1\r\n${HOST}A: \r\n\r\n`],
  ["with a field without space", `GET / HTTP/1.1\r\n${HOST}A:b\r\n\r\n`],
  ["with two spaces", `GET / HTTP/1.1\r\n${HOST}A:  b\r\n\r\n`],
  ["with a tab", `GET / HTTP/1.1\r\n${HOST}A:\tb\r\n\r\n`],
  ["with a space behind", `GET / HTTP/1.1\r\n${HOST}A: b \r\n\r\n`],
  ["with a space before a colon", `GET / HTTP/1.1\r\n${HOST}A : b\r\n\r\n`],
  ["with a name that is none", `GET / HTTP/1.1\r\n${HOST}A(: b\r\n\r\n`],
  ["with a line without colon", `GET / HTTP/1.1\r\n${HOST}A\r\n\r\n`],
  ...[
    "Content-Length: 0",
    "content-length: 5",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Connection: close, X-A",
    "Connection: keep-alive, close",
    "Proxy-Connection: close",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "HTTP2-Settings: AAMAAABk",
    "Content_Length: 5",
  ].map((line) => [`with ${line}`, `GET / HTTP/1.1\r\n${HOST}${line}\r\n\r\n`]),
])("a request %s is not plain", (_, text) => {
  expect(parse(text!)).toBeUndefined();
});

test("whatever passes for plain, Node reads as the same single request without a body", async () => {
  const node = await useNodeParser();
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(almostPlain, async (text) => {
      const request = parse(text);
      if (!request) return;
      plain++;
      expect(await node(text)).toEqual([
        {
          method: request.method,
          url: request.url,
          rawHeaders: request.rawHeaders,
          keepAlive: !request.closes,
          body: "",
        },
      ]);
    }),
    { numRuns: 3_000, seed: 1 },
  );
  // A generator that makes nothing plain would prove nothing.
  expect(plain).toBeGreaterThan(300);
}, 60_000);

const NAMES = [
  ...["Host", "Accept", "Cookie", "X-A", "connection", "Content-Length"],
  ...["Transfer-Encoding", "Upgrade", "Trailer", "X_A", "a!#$%&'*+.^`|~1"],
];
const VALUES = [
  ...["app.test", "*/*", "a=b; c=d", "close", "keep-alive", "5", "chunked"],
  ...[":", "a  b", "\xe9", " x", "x ", "", '"\\"', "websocket"],
];
const almostPlain = fc
  .record({
    method: fc.constantFrom("GET", "HEAD", "GET", "POST"),
    target: fc.constantFrom(
      "/",
      "/a?b=c&d",
      "//",
      "/%00",
      "/\\|{}~",
      "*",
      "/ ",
    ),
    fields: fc.array(
      fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)),
      { maxLength: 5 },
    ),
    // Where to put a byte that may not belong there.
    slip: fc.option(
      fc.tuple(
        fc.nat(200),
        fc.constantFrom(
          ...["\0", "\t", "\n", "\r", " ", ":", "\x7f", "\xa0", "a"],
        ),
      ),
    ),
  })
  .map(({ method, target, fields, slip }) => {
    const head = `${method} ${target} HTTP/1.1\r\n${HOST}${fields
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n`;
    if (slip === null || slip[0] > head.length) return head;
    return head.slice(0, slip[0]) + slip[1] + head.slice(slip[0]);
  });

// What Node's server makes of some bytes, each time on a connection of its own that ends behind them.
async function useNodeParser(): Promise<(text: string) => Promise<unknown[]>> {
  let seen: unknown[] = [];
  const server = createServer(
    { requireHostHeader: false },
    (request: IncomingMessage, response) => {
      const { method, url, rawHeaders } = request;
      const entry = { method, url, rawHeaders, keepAlive: false, body: "" };
      entry.keepAlive = response.shouldKeepAlive;
      seen.push(entry);
      request.on("data", (chunk: Buffer) => {
        entry.body += chunk.toString("latin1");
      });
      response.end();
    },
  );
  server.on("clientError", (error, socket) => {
    seen.push(error);
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  return async (text) => {
    seen = [];
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.end(text, "latin1");
    await once(socket, "close");
    return seen;
  };
}
