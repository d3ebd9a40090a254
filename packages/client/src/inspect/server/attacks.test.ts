// Hostile requests, sent as bytes: what a page of another site, a name that was made to point here, a tunnel, another
// process or a broken client could send. None may read, change or break anything.
import { once } from "node:events";
import {
  mkdtempSync,
  mkdirSync,
  rmSync,
  writeFileSync,
  symlinkSync,
} from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Inspector } from "./inspector.ts";
import { cookieName } from "./token.ts";
import { sendRaw, untilClosed, useApi, useInspector } from "./use-inspector.ts";
import { createMemoryStore, makeCapture, makeExchange } from "./use-store.ts";

const SECRET = "sk_live_this_is_secret";

/** An inspector with one exchange that holds a secret in each part. */
async function useTarget() {
  const store = createMemoryStore();
  const exchange = makeExchange({
    target: `/${SECRET}`,
    method: "POST",
    request: {
      method: "POST",
      target: `/${SECRET}`,
      version: "1.1",
      headers: [["Authorization", SECRET]],
      trailers: [],
      body: { bytes: SECRET.length, keptBytes: SECRET.length, framing: "none" },
    },
  });
  store.finished(makeCapture(exchange, { request: SECRET, response: SECRET }));
  const inspector = await useInspector({ store });
  return { store, exchange, inspector, api: useApi(inspector) };
}

const get = (
  { port }: Pick<Inspector, "port">,
  path: string,
  ...headers: string[]
): string =>
  [
    `GET ${path} HTTP/1.1`,
    ...(headers.some((line) => /^host:/i.test(line))
      ? []
      : [`Host: 127.0.0.1:${port}`]),
    "Connection: close",
    ...headers,
    "",
    "",
  ].join("\r\n");

const bearer = ({ token }: Inspector): string =>
  `Authorization: Bearer ${token}`;

describe("a name that was made to point here (DNS rebinding)", () => {
  test.each([
    "Host: evil.example",
    "Host: evil.example:PORT",
    "Host: 127.0.0.1.nip.io:PORT",
    "Host: localhost.evil.example:PORT",
    "Host: localhost:PORT@evil.example",
    "Host: 127.0.0.1",
    "Host: 127.0.0.1:1",
    "Host: 127.1:PORT",
    "Host: 0.0.0.0:PORT",
    "Host: [::]:PORT",
    "Host: localhost.:PORT",
    "Host: ",
    "Host: 192.168.1.5:PORT",
  ])("%s is refused, with the token too", async (host) => {
    const { inspector } = await useTarget();
    for (const path of ["/", "/api/tunnels", "/api/v1/status"]) {
      const answer = await sendRaw(
        inspector,
        get(
          inspector,
          path,
          host.replace("PORT", String(inspector.port)),
          bearer(inspector),
        ),
      );
      expect([400, 403]).toContain(answer.status);
      expect(answer.text).not.toMatch(/set-cookie/i);
      expect(answer.text).not.toContain(SECRET);
    }
  });

  test("two Host headers are refused, whichever comes first", async () => {
    const { inspector } = await useTarget();
    const own = `Host: 127.0.0.1:${inspector.port}`;
    for (const lines of [
      [own, "Host: evil.example"],
      ["Host: evil.example", own],
      [own, own],
    ]) {
      const answer = await sendRaw(
        inspector,
        get(inspector, "/api/tunnels", ...lines),
      );
      expect([400, 403]).toContain(answer.status);
    }
  });

  test("HTTP/1.0 without Host is refused", async () => {
    const { inspector } = await useTarget();
    const answer = await sendRaw(
      inspector,
      `GET /api/tunnels HTTP/1.0\r\n${bearer(inspector)}\r\n\r\n`,
    );
    expect(answer.status).toBe(403);
  });
});

describe("requests that pages of other sites cause", () => {
  test.each([
    "Origin: https://evil.example",
    "Origin: null",
    "Origin: http://localhost:PORT",
    "Origin: https://127.0.0.1:PORT",
    "Origin: http://127.0.0.1:1",
    "Origin: http://127.0.0.1",
    "Origin: file://",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-site",
    "Sec-Fetch-Site: what",
  ])("%s is refused, with the cookie too", async (line) => {
    const { inspector } = await useTarget();
    const lines = [
      line.replace("PORT", String(inspector.port)),
      `Cookie: ${cookieName(inspector.port)}=${inspector.token}`,
    ];
    for (const path of ["/", "/api/tunnels", "/api/v1/exchanges"]) {
      const answer = await sendRaw(inspector, get(inspector, path, ...lines));
      expect(answer.status).toBe(403);
      expect(answer.text).not.toContain(SECRET);
      expect(answer.text).not.toMatch(/access-control-allow/i);
    }
  });

  test("a link from elsewhere opens the page, but not in a frame, and not the API", async () => {
    const { inspector } = await useTarget();
    const link = [
      "Sec-Fetch-Site: cross-site",
      "Sec-Fetch-Mode: navigate",
      "Sec-Fetch-Dest: document",
    ];
    const page = await sendRaw(inspector, get(inspector, "/", ...link));
    expect(page.status).toBe(200);
    expect(page.text).toMatch(/frame-ancestors 'none'/);
    const frame = await sendRaw(
      inspector,
      get(inspector, "/", link[0]!, link[1]!, "Sec-Fetch-Dest: iframe"),
    );
    expect(frame.status).toBe(403);
    const api = await sendRaw(
      inspector,
      get(inspector, "/api/v1/exchanges", ...link),
    );
    expect(api.status).toBe(403);
  });

  test.each([
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/plain; application/json",
    "application/jsonp",
    "",
  ])(
    "a form post as %j changes nothing, even with the cookie",
    async (type) => {
      const { inspector, store, exchange } = await useTarget();
      const body = `{"id":"${exchange.id}"}`;
      for (const path of [
        `/api/v1/exchanges/${exchange.id}/replay`,
        "/api/v1/replays",
        "/api/requests/http",
      ]) {
        const answer = await sendRaw(
          inspector,
          `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${inspector.port}\r\nConnection: close\r\nCookie: ${cookieName(inspector.port)}=${inspector.token}\r\n${type && `Content-Type: ${type}\r\n`}Content-Length: ${body.length}\r\n\r\n${body}`,
        );
        expect(answer.status).toBe(415);
      }
      expect(store.status().exchanges).toBe(1);
    },
  );

  test("nobody is told that they may ask (no CORS)", async () => {
    const { inspector } = await useTarget();
    const answer = await sendRaw(
      inspector,
      `OPTIONS /api/v1/exchanges HTTP/1.1\r\nHost: 127.0.0.1:${inspector.port}\r\nConnection: close\r\nOrigin: http://127.0.0.1:${inspector.port}\r\nAccess-Control-Request-Method: DELETE\r\nAccess-Control-Request-Private-Network: true\r\n\r\n`,
    );
    expect(answer.status).toBe(405);
    expect(answer.text).not.toMatch(/access-control-allow/i);
  });
});

describe("what comes through a tunnel or a proxy", () => {
  test.each([
    "X-Forwarded-For: 127.0.0.1",
    "x-forwarded-host: 127.0.0.1",
    "X-FORWARDED-PROTO: http",
    "X-Forwarded-Port: 4040",
    "X-Forwarded: yes",
    "Forwarded: for=127.0.0.1",
    "Via: 1.1 edge",
    "X-Real-IP: 127.0.0.1",
    "X-Forwarded-For:",
  ])("%s is refused, with the token too", async (line) => {
    const { inspector } = await useTarget();
    for (const path of ["/", "/api/tunnels", "/api/v1/status"]) {
      const answer = await sendRaw(
        inspector,
        get(inspector, path, line, bearer(inspector)),
      );
      expect(answer.status).toBe(403);
      expect(answer.text).toContain('"forwarded"');
    }
  });
});

describe("without the token", () => {
  const GUESSES = [
    [],
    ["Authorization: Bearer x"],
    ["Authorization: Bearer "],
    ["Authorization: Basic OmE="],
    ["Authorization: Bearer undefined"],
    [`Authorization: Bearer ${"A".repeat(43)}`],
    ["Cookie: expose_inspect=1"],
    ["Cookie: expose_inspect_PORT="],
    ["Cookie: expose_inspect_PORT=x; expose_inspect_PORT=y"],
    ["Authorization: Bearer TOKENx"],
    ["Authorization: Bearer TOKE"],
  ];
  test.each(GUESSES.map((lines) => [lines.join(" ") || "nothing", lines]))(
    "%s reads nothing and changes nothing",
    async (_name, lines) => {
      const { inspector, store, exchange } = await useTarget();
      const given = (lines as string[]).map((line) =>
        line
          .replaceAll("PORT", String(inspector.port))
          .replace("TOKENx", `${inspector.token}x`)
          .replace("TOKE", inspector.token.slice(0, -1)),
      );
      for (const path of [
        "/api/v1/status",
        "/api/v1/exchanges",
        `/api/v1/exchanges/${exchange.id}`,
        `/api/v1/exchanges/${exchange.id}/request/body`,
        `/api/v1/exchanges/${exchange.id}/request/view`,
        `/api/v1/exchanges/${exchange.id}/messages`,
        `/api/v1/exchanges/${exchange.id}/export?as=curl`,
        "/api/v1/export?as=har",
        "/api/v1/events",
        `/api/v1/compare?left=${exchange.id}&right=${exchange.id}`,
        `/api/v1/exchanges?token=${inspector.token}`,
      ]) {
        const answer = await sendRaw(inspector, get(inspector, path, ...given));
        expect(answer.status).toBe(401);
        expect(answer.text).not.toContain(SECRET);
      }
      for (const start of [
        "DELETE /api/v1/exchanges",
        "DELETE /api/requests/http",
        "POST /api/requests/http",
        `POST /api/v1/exchanges/${exchange.id}/replay`,
        "POST /api/v1/replays",
      ]) {
        const answer = await sendRaw(
          inspector,
          `${start} HTTP/1.1\r\nHost: 127.0.0.1:${inspector.port}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n${given.map((line) => `${line}\r\n`).join("")}\r\n{}`,
        );
        expect(answer.status).toBe(401);
      }
      expect(store.status().exchanges).toBe(1);
    },
  );

  test("ngrok's shapes show no secrets of headers", async () => {
    const { inspector } = await useTarget();
    const answer = await sendRaw(
      inspector,
      get(inspector, "/api/requests/http"),
    );
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('"Authorization":["[redacted]"]');
    expect(answer.text).not.toContain(
      Buffer.from(`Authorization: ${SECRET}`).toString("base64").slice(4, -4),
    );
  });

  test("an API token locks ngrok's shapes and opens everything", async () => {
    const inspector = await useInspector({ apiToken: "0123456789abcdef" });
    for (const path of ["/api", "/api/tunnels", "/api/status"])
      expect((await sendRaw(inspector, get(inspector, path))).status).toBe(401);
    for (const guess of [
      "0123456789abcde",
      "0123456789abcdef0",
      "a-long-token",
    ])
      expect(
        (
          await sendRaw(
            inspector,
            get(inspector, "/api/tunnels", `Authorization: Bearer ${guess}`),
          )
        ).status,
      ).toBe(401);
    for (const path of ["/api/tunnels", "/api/v1/status"])
      expect(
        (
          await sendRaw(
            inspector,
            get(inspector, path, "Authorization: Bearer 0123456789abcdef"),
          )
        ).status,
      ).toBe(200);
  });

  test.each(["", "short", "with blanks in between it"])(
    "%j is no API token",
    async (apiToken) => {
      await expect(useInspector({ apiToken })).rejects.toMatchObject({
        code: "usage-invalid",
      });
    },
  );
});

describe("paths", () => {
  test.each([
    "/../../../../etc/passwd",
    "/..%2f..%2f..%2fetc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/../../secret.txt",
    "/assets/..%5c..%5csecret.txt",
    "//etc/passwd",
    "/assets//app.js",
    "/link.txt",
    "/secret.txt%00.js",
    "/.env",
    "/app.js.map",
    "/assets",
    "/assets/",
    "/constructor",
    "/__proto__",
    "/api/v1/exchanges/__proto__",
    "/api/v1/exchanges/..%2f..%2fsecret",
    "/api/tunnels/__proto__",
  ])("%s leads nowhere", async (path) => {
    const folder = mkdtempSync(join(tmpdir(), "expose-page-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const page = join(folder, "page");
    mkdirSync(join(page, "assets"), { recursive: true });
    writeFileSync(join(folder, "secret.txt"), SECRET);
    writeFileSync(join(page, "index.html"), "the page");
    writeFileSync(join(page, "assets/app.js"), "the script");
    writeFileSync(join(page, "app.js.map"), SECRET);
    writeFileSync(join(page, ".env"), SECRET);
    symlinkSync(join(folder, "secret.txt"), join(page, "link.txt"));
    const inspector = await useInspector({ pageFolder: page });
    const answer = await sendRaw(
      inspector,
      get(inspector, path, bearer(inspector)),
    );
    expect([400, 404]).toContain(answer.status);
    expect(answer.text).not.toContain(SECRET);
    const real = await sendRaw(inspector, get(inspector, "/assets/app.js"));
    expect(real.text).toContain("the script");
  });

  test.each([
    "GET http://127.0.0.1:PORT/api/tunnels HTTP/1.1",
    "GET http://evil.example/api/tunnels HTTP/1.1",
    "GET file:///etc/passwd HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT evil.example:443 HTTP/1.1",
    "TRACE / HTTP/1.1",
    "GET api/tunnels HTTP/1.1",
    "PRI * HTTP/2.0",
  ])("%s is no way in", async (line) => {
    const { inspector } = await useTarget();
    const answer = await sendRaw(
      inspector,
      `${line.replace("PORT", String(inspector.port))}\r\nHost: 127.0.0.1:${inspector.port}\r\nConnection: close\r\n${bearer(inspector)}\r\n\r\n`,
    );
    expect([0, 400, 404, 405, 505]).toContain(answer.status);
    expect(answer.text).not.toContain("public_url");
  });
});

describe("too much", () => {
  const post = (
    { port, token }: Inspector,
    framing: string,
    id: string,
  ): string =>
    `POST /api/v1/exchanges/${id}/replay HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`;

  test("a body that is announced larger than the bound is refused unread", async () => {
    const { inspector, exchange } = await useTarget();
    const answer = await sendRaw(
      inspector,
      post(inspector, "Content-Length: 99999999999", exchange.id),
    );
    expect(answer.status).toBe(413);
  });

  test("a body without end is refused when it reaches the bound", async () => {
    const { inspector, exchange } = await useTarget();
    const socket = net.connect(inspector.port, "127.0.0.1");
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(post(inspector, "Transfer-Encoding: chunked", exchange.id));
    const closed = untilClosed(socket);
    const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`;
    let sent = 0;
    const more = (): void => {
      while (!socket.destroyed && sent < 64 * 1024 * 1024) {
        sent += chunk.length;
        if (!socket.write(chunk)) return void socket.once("drain", more);
      }
    };
    more();
    await closed;
    expect(text).toMatch(/^HTTP\/1\.1 413 |^$/);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["null", "null"],
    ["an unknown field", '{"admin":true}'],
    ["a method of two words", '{"method":"GET /x HTTP/1.1\\r\\nX: "}'],
    ["headers that are no pairs", '{"headers":[["a"]]}'],
    ["a body that is no base64", '{"body":"*"}'],
    ["more times than may be", '{"times":1000000}'],
    ["no times", '{"times":0}'],
    ["half a time", '{"times":0.5}'],
    ["nesting without end", `{"headers":${"[".repeat(100_000)}`],
    ["bytes that are no UTF-8", '{"method":"\xff"}'],
  ])("%s is refused", async (_name, body) => {
    const { inspector, exchange } = await useTarget();
    const bytes = Buffer.from(body, "latin1");
    const answer = await sendRaw(
      inspector,
      Buffer.concat([
        Buffer.from(
          post(inspector, `Content-Length: ${bytes.length}`, exchange.id),
        ),
        bytes,
      ]),
    );
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('"request-invalid"');
  });

  test("a head that is too large is refused", async () => {
    const { inspector } = await useTarget();
    const answer = await sendRaw(
      inspector,
      get(inspector, "/", `X: ${"a".repeat(100_000)}`),
    );
    expect([0, 431]).toContain(answer.status);
  });

  test("event streams have an end of their number", async () => {
    const { inspector, api } = await useTarget();
    const gone = new AbortController();
    onTestFinished(() => gone.abort());
    const open = await Promise.all(
      Array.from({ length: 33 }, () =>
        api("/api/v1/events", { signal: gone.signal }),
      ),
    );
    const codes = open.map(({ status }) => status).sort();
    expect(codes.slice(0, 32).every((status) => status === 200)).toBe(true);
    expect(codes[32]).toBe(429);
    expect(inspector.port).toBeGreaterThan(0);
  });

  test("a reader of events that does not read costs a bounded amount, and is told what it missed", async () => {
    const { inspector, store } = await useTarget();
    const [slow, quick] = [0, 1].map(() => {
      const socket = net.connect(inspector.port, "127.0.0.1");
      socket.on("error", () => {});
      onTestFinished(() => void socket.destroy());
      socket.write(get(inspector, "/api/v1/events", bearer(inspector)));
      return socket;
    }) as [net.Socket, net.Socket];
    await Promise.all([once(slow, "readable"), once(quick, "readable")]);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const heldNow = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    /** Reads on until a text is there, and keeps only the end. */
    const readUntil = async (
      socket: net.Socket,
      pattern: RegExp,
    ): Promise<void> => {
      let text = "";
      while (!pattern.test(text)) {
        const chunk = socket.read() as Buffer | null;
        if (chunk) text = (text + chunk.toString("latin1")).slice(-10_000);
        else await once(socket, "readable");
      }
    };
    const long = "x".repeat(100_000);
    const before = heldNow();
    for (let round = 0; round < 15; round++) {
      for (let i = 0; i < 100; i++)
        store.changed(makeCapture(makeExchange({ target: `/${i}${long}` })));
      store.changed(
        makeCapture(makeExchange({ origin: `http://round-${round}.example` })),
      );
      await readUntil(quick, new RegExp(`round-${round}\\.`));
    }
    expect(heldNow() - before).toBeLessThan(60_000_000);
    let told = false;
    const telling = readUntil(
      slow,
      /event: missed\ndata: \{"count":\d+\}/,
    ).then(() => (told = true));
    // Once it has read what was queued for it, the next event comes with what it missed.
    for (let round = 0; !told; round++) {
      store.changed(
        makeCapture(makeExchange({ origin: `http://later-${round}.example` })),
      );
      await readUntil(quick, new RegExp(`later-${round}\\.`));
    }
    await telling;
  }, 20_000);
});

test("every answer bears the headers that keep browsers from making more of it", async () => {
  const { inspector, exchange } = await useTarget();
  for (const path of [
    "/",
    "/api/tunnels",
    "/api/v1/status",
    "/nowhere",
    `/api/v1/exchanges/${exchange.id}/request/body`,
  ]) {
    const { text } = await sendRaw(
      inspector,
      get(inspector, path, bearer(inspector)),
    );
    const [head = ""] = text.split("\r\n\r\n");
    for (const line of [
      "X-Content-Type-Options: nosniff",
      "Referrer-Policy: no-referrer",
      "Cross-Origin-Resource-Policy: same-origin",
      "Cross-Origin-Opener-Policy: same-origin",
      "X-Frame-Options: DENY",
    ])
      expect(head).toContain(line);
    expect(head).toMatch(
      path.endsWith("/body")
        ? /^Content-Security-Policy: default-src 'none'; sandbox\r?$/m
        : /^Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r?$/m,
    );
    expect(head).not.toMatch(/unsafe-inline|unsafe-eval|x-powered-by/i);
  }
});

test("the page's cookie is out of reach of scripts and of other sites, and never set for localhost", async () => {
  const { inspector } = await useTarget();
  const { text } = await sendRaw(inspector, get(inspector, "/"));
  expect(text).toContain(
    `Set-Cookie: ${cookieName(inspector.port)}=${inspector.token}; HttpOnly; SameSite=Strict; Path=/`,
  );
  const other = await sendRaw(
    inspector,
    get(inspector, "/?x=1", `Host: localhost:${inspector.port}`),
  );
  expect(other.status).toBe(302);
  expect(other.text).toContain(
    `Location: http://127.0.0.1:${inspector.port}/\r\n`,
  );
  expect(other.text).not.toMatch(/set-cookie/i);
});

test("it listens on loopback alone", async () => {
  const { inspector } = await useTarget();
  const { networkInterfaces } = await import("node:os");
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4");
  for (const { address } of outside) {
    const socket = net.connect(inspector.port, address);
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  }
});
