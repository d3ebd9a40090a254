// Which answers of dev servers are taken for a refused host name.
import { once } from "node:events";
import { createServer } from "node:http";
import net from "node:net";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { createViteServer } from "vitest/node";
import type { Hint } from "../tunnel.ts";
import { createRefusedHostWatcher } from "./refused-host.ts";
import { readAll, useFolder } from "./use-servers.ts";

const URL_OF_TUNNEL = "https://shop.tunnel.example.com";

test.each([
  [
    "Vite",
    403,
    'Blocked request. This host ("shop.example.com") is not allowed.\nTo allow this host, add it to `server.allowedHosts` in vite.config.js.',
    'allowedHosts: [".tunnel.example.com"]',
  ],
  [
    "Angular",
    403,
    "<h1>Blocked request. This host (&quot;shop&quot;) is not allowed.</h1> add it to <code>allowedHosts</code> in <code>angular.json</code>",
    '"allowedHosts": [".tunnel.example.com"]',
  ],
  [
    "webpack-dev-server",
    403,
    "Invalid Host header",
    'allowedHosts: [".tunnel.example.com"]',
  ],
  [
    "Rails",
    403,
    `<style>${"x".repeat(6_000)}</style><h1>Blocked hosts: shop.example.com</h1>`,
    'config.hosts << ".tunnel.example.com"',
  ],
  [
    "Rails",
    403,
    'Requests to shop.example.com are not allowed! To allow them:\n\n Rails.application.config.hosts << "shop.example.com"',
    'config.hosts << ".tunnel.example.com"',
  ],
  [
    "Django",
    400,
    "<title>DisallowedHost\n          at /</title>",
    'ALLOWED_HOSTS = [".tunnel.example.com"]',
  ],
  [
    "Starlette",
    400,
    "Invalid host header",
    'allowed_hosts=["*.tunnel.example.com"]',
  ],
])("knows the refusal of %s", (name, status, body, line) => {
  const { chunk, hints } = useWatcher();
  chunk(answer(status, body));
  expect(hints).toEqual([
    {
      code: "host-refused",
      message: `${name} refuses the host name shop.tunnel.example.com.`,
      fix: expect.stringContaining(line),
    },
  ]);
  // Rails looks at X-Forwarded-Host as well: the flag would not help.
  expect(hints[0]!.fix.includes("--host-header rewrite")).toBe(
    name !== "Rails",
  );
});

test("knows the refusal of a real Vite", async () => {
  const vite = await createViteServer({
    configFile: false,
    root: await useFolder(),
    logLevel: "silent",
    server: { port: 0, host: "127.0.0.1", ws: false },
  });
  onTestFinished(() => vite.close());
  await vite.listen();
  const { port } = vite.httpServer!.address() as AddressInfo;
  expect(await hintsOf(port)).toEqual([
    expect.objectContaining({ message: expect.stringMatching(/^Vite /) }),
  ]);
});

test("knows a refusal whose head and body come apart", async () => {
  const server = createServer((_req, res) => {
    res.writeHead(400, { "Content-Type": "text/html" });
    res.flushHeaders();
    setImmediate(() => res.end("<title>DisallowedHost at /</title>"));
  });
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await hintsOf(port)).toHaveLength(1);
});

test("says it once per framework, on whatever connection", () => {
  const { watcher, hints } = useWatcher();
  for (let i = 0; i < 3; i++) {
    const chunk = watcher.watchConnection();
    chunk(answer(403, "Invalid Host header"));
    chunk(answer(403, "Invalid Host header"));
  }
  watcher.watchConnection()(answer(400, "DisallowedHost"));
  expect(hints).toHaveLength(2);
});

test.each([
  ["a page that shows the words", answer(200, "Invalid Host header")],
  ["a failure", answer(500, "Invalid Host header")],
  ["no HTTP", Buffer.from("Invalid Host header")],
  ["a piece of a head", Buffer.from("HTTP/1.1 ")],
  ["nothing", Buffer.alloc(0)],
])("is silent about %s", (_what, bytes) => {
  const { chunk, hints } = useWatcher();
  chunk(bytes);
  chunk(Buffer.from("Invalid Host header"));
  expect(hints).toEqual([]);
});

test("what follows an answer that was fine is not searched", () => {
  const { chunk, hints } = useWatcher();
  chunk(answer(404, "Not found"));
  chunk(answer(200, "a long page"));
  chunk(Buffer.from("Invalid Host header"));
  expect(hints).toEqual([]);
});

test("only the beginning of an answer is searched", () => {
  const late = useWatcher();
  late.chunk(answer(404, "x".repeat(17_000) + "Invalid Host header"));
  late.chunk(Buffer.from("Invalid Host header"));
  expect(late.hints).toEqual([]);

  const drip = useWatcher();
  drip.chunk(answer(404, ""));
  for (let i = 0; i < 20; i++) drip.chunk(Buffer.from("."));
  drip.chunk(Buffer.from("Invalid Host header"));
  expect(drip.hints).toEqual([]);
});

test.each(["", "nonsense", "https://127.0.0.1", "https://[::1]/", "https://a"])(
  "proposes an example where the URL %j has no domain",
  (url) => {
    const { chunk, hints } = useWatcher(url);
    chunk(answer(403, "Blocked request. This host"));
    expect(hints[0]!.fix).toMatch(
      url.includes("127") ? /allowedHosts/ : /"\.example\.com"/,
    );
  },
);

test("changes no byte and never throws, whatever comes", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 30 }),
          fc.constantFrom(
            answer(403, "Invalid "),
            Buffer.from("Host header"),
            Buffer.from("HTTP/1.1 4"),
          ),
        ),
      ),
      (chunks) => {
        const { chunk } = useWatcher();
        for (const bytes of chunks) {
          const copy = Buffer.from(bytes);
          chunk(copy);
          expect(copy.equals(bytes)).toBe(true);
        }
      },
    ),
  );
});

function answer(status: number, body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

function useWatcher(url = URL_OF_TUNNEL) {
  const hints: Hint[] = [];
  const watcher = createRefusedHostWatcher({
    onHint: (hint) => hints.push(hint),
    publicUrl: () => url,
  });
  return { watcher, chunk: watcher.watchConnection(), hints };
}

/** Asks a real server under the tunnel's name, and watches the chunks as they come from the socket. */
async function hintsOf(port: number): Promise<Hint[]> {
  const { chunk, hints } = useWatcher();
  const socket = net.connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("data", chunk);
  socket.write(
    "GET / HTTP/1.1\r\nHost: shop.tunnel.example.com\r\nConnection: close\r\n\r\n",
  );
  await readAll(socket);
  return hints;
}
