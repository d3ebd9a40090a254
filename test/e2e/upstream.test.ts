// The local side of a tunnel: services that are down, restart, listen in odd places, or refuse the public name.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  mkdtempSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  afterAll,
  afterEach,
  beforeAll,
  expect,
  it,
  onTestFinished,
} from "vitest";
import type {
  Hint,
  SessionOptions,
  Tunnel,
  TunnelOptions,
} from "@expose/client";
import { freePort } from "../harness/plain-sshd.ts";
import { startProgram, stop } from "../harness/processes.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

describeIngress("the local service", (ingress) => {
  let world: World;
  const open: Tunnel[] = [];
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((tunnel) => tunnel.close()));
  });
  afterAll(() => world.stop());

  async function expose(
    options: TunnelOptions & SessionOptions,
  ): Promise<Tunnel> {
    const tunnel = await world.expose(options);
    open.push(tunnel);
    return tunnel;
  }

  it("that is down gives the visitor a page that says so, in the form that they accept", async () => {
    const port = await freePort();
    const { url } = await expose({ port });
    const page = await visit(url, "/", {
      headers: { accept: "text/html,*/*" },
    });
    expect(page.status).toBe(502);
    expect(page.headers["expose-error"]).toBe("upstream-down");
    expect(page.headers["content-type"]).toContain("text/html");
    expect(page.text).toContain(`localhost:${port}`);
    expect(page.text).toMatch(/tunnel is up/i);
    const json = await visit(url, "/", {
      headers: { accept: "application/json" },
    });
    expect(json.status).toBe(502);
    expect(JSON.parse(json.text)).toMatchObject({
      error: expect.anything() as unknown,
    });
    const plain = await visit(url, "/", { headers: { accept: "*/*" } });
    expect(plain.headers["content-type"]).toContain("text/plain");
  });

  it("that comes up later is found at once", async () => {
    const port = await freePort();
    const { url } = await expose({ port });
    expect((await visit(url)).status).toBe(502);
    await startUpstream(hello, { port });
    expect((await visit(url, "/up")).text).toBe("hello /up");
  });

  it("that restarts for a moment costs no visitor an error", async () => {
    const first = await startUpstream(hello);
    const { port } = first;
    const tunnel = await expose({ port });
    expect((await visit(tunnel.url, "/1")).text).toBe("hello /1");
    await first.close();
    const waiting = visit(tunnel.url, "/2");
    while (!/expose_requests_in_flight 1/.test(await world.metrics()));
    await startUpstream(hello, { port });
    expect((await waiting).text).toBe("hello /2");
  });

  it.each(["::1", "127.0.0.1"])(
    "is found though it listens on %s alone",
    async (host) => {
      const upstream = await startUpstream(hello, { host });
      const { url } = await expose({ port: upstream.port });
      expect((await visit(url, "/x")).text).toBe("hello /x");
    },
  );

  it("with a single thread is not held up by idle connections (Python's wsgiref)", async () => {
    const port = await freePort();
    const python = startProgram("/usr/bin/python3", [
      "-c",
      `from wsgiref.simple_server import make_server
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"python " + environ["PATH_INFO"].encode()]
server = make_server("127.0.0.1", ${port}, app)
print("listening", flush=True)
server.serve_forever()`,
    ]);
    onTestFinished(() => stop(python));
    await python.waitFor(/listening/);
    const { url } = await expose({ port });
    for (let i = 0; i < 5; i++)
      expect((await visit(url, `/${i}`)).text).toBe(`python /${i}`);
    const burst = await Promise.all([6, 7, 8].map((i) => visit(url, `/${i}`)));
    expect(burst.map(({ text }) => text)).toEqual([
      "python /6",
      "python /7",
      "python /8",
    ]);
  });

  it("may be a Unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "expose-unix-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const upstream = await startUpstream(hello);
    await upstream.close();
    upstream.server.listen(join(folder, "app.sock"));
    await once(upstream.server, "listening");
    onTestFinished(upstream.close);
    const { url } = await expose({
      upstream: `unix:${join(folder, "app.sock")}`,
    });
    expect((await visit(url, "/unix")).text).toBe("hello /unix");
  });

  it("may be HTTPS: verified by default, with an authority of one's own, or not at all when told so", async () => {
    const folder = mkdtempSync(join(tmpdir(), "expose-tls-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        key,
        "-out",
        cert,
      ],
      { stdio: "ignore" },
    );
    const server = createTlsServer(
      { key: readFileSync(key), cert: readFileSync(cert) },
      hello,
    );
    server.listen(0);
    await once(server, "listening");
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;

    const strict = await expose({ upstream: `https://localhost:${port}` });
    const told = once(strict, "upstream");
    expect((await visit(strict.url)).status).toBe(502);
    const [{ reason }] = (await told) as [{ reason: string }];
    expect(reason).toContain("https+insecure://");
    expect(reason).toContain("--upstream-ca");
    const trusting = await expose({
      upstream: `https://localhost:${port}`,
      upstreamCa: cert,
    });
    expect((await visit(trusting.url, "/a")).text).toBe("hello /a");
    const careless = await expose({
      upstream: `https+insecure://localhost:${port}`,
    });
    expect((await visit(careless.url, "/b")).text).toBe("hello /b");
  });

  it("may be a folder: index files and ranges, and nothing that the folder does not hold", async () => {
    const folder = mkdtempSync(join(tmpdir(), "expose-folder-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, "site"));
    writeFileSync(join(folder, "site/index.html"), "<h1>index</h1>");
    writeFileSync(join(folder, "site/.env"), "SECRET");
    writeFileSync(join(folder, "outside.txt"), "SECRET");
    symlinkSync(join(folder, "outside.txt"), join(folder, "site/link.txt"));
    const { url } = await expose({ upstream: join(folder, "site") });
    expect(await visit(url)).toMatchObject({
      status: 200,
      text: "<h1>index</h1>",
    });
    expect(
      await visit(url, "/index.html", { headers: { range: "bytes=4-8" } }),
    ).toMatchObject({ status: 206, text: "index" });
    for (const path of [
      "/.env",
      "/link.txt",
      "/../outside.txt",
      "/..%2foutside.txt",
      "/%2e%2e/outside.txt",
    ]) {
      const got = await visit(url, path);
      expect(got.status, path).toBeGreaterThanOrEqual(400);
      expect(got.text).not.toContain("SECRET");
    }
  });

  it("sees its own name with --host-header rewrite, in Origin and Referer too", async () => {
    const upstream = await startUpstream((request, response) => {
      const { host, origin, referer } = request.headers;
      response.end(JSON.stringify({ host, origin, referer }));
    });
    const { port } = upstream;
    const asked = async (hostHeader: string | undefined): Promise<unknown> => {
      const { url } = await expose({ port, hostHeader });
      return JSON.parse(
        (
          await visit(url, "/", {
            headers: { origin: url, referer: `${url}/page` },
          })
        ).text
          .replaceAll(url, "URL")
          .replaceAll(new URL(url).host, "HOST"),
      );
    };
    expect(await asked(undefined)).toEqual({
      host: "HOST",
      origin: "URL",
      referer: "URL/page",
    });
    expect(await asked("rewrite")).toEqual({
      host: `localhost:${port}`,
      origin: `http://localhost:${port}`,
      referer: `http://localhost:${port}/page`,
    });
    expect(await asked("app.test")).toMatchObject({ host: "app.test" });
  });

  it("that refuses the public name gets its owner a hint with the one line that mends it", async () => {
    const upstream = await startUpstream((request, response) => {
      const { host } = request.headers;
      response.writeHead(403, { "content-type": "text/plain" });
      response.end(
        `Blocked request. This host ("${host}") is not allowed.\nTo allow this host, add "${host}" to \`server.allowedHosts\` in vite.config.js.`,
      );
    });
    const tunnel = await expose({ port: upstream.port });
    const hinted = once(tunnel, "hint");
    await visit(tunnel.url);
    const [hint] = (await hinted) as [Hint];
    expect(hint.code).toBe("host-refused");
    expect(`${hint.message} ${hint.fix}`).toMatch(/Vite/);
    expect(`${hint.message} ${hint.fix}`).toMatch(
      /--host-header rewrite|allowedHosts/,
    );
  });

  it("is not asked twice for a request that it may have done already", async () => {
    let count = 0;
    const upstream = await startUpstream((request, response) => {
      count++;
      if (request.method === "POST") request.socket.destroy();
      else response.end("ok");
    });
    const { url } = await expose({ port: upstream.port });
    await visit(url);
    const answer = await visit(url, "/", { method: "POST", body: "once" });
    expect(answer.status).toBe(502);
    expect(count).toBe(2);
  });
});
