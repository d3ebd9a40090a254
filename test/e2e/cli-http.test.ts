// `expose PORT` as a program: what it prints where, how it ends, what it does when the edge goes away.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  eventsOf,
  runExpose,
  startExpose,
  useCliHome,
} from "../harness/cli.ts";
import { freePort } from "../harness/plain-sshd.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

/** On stdout; nothing says which of the two outputs is read first. */
const URL_LINE = /^http:.*\n/;

describeIngress("expose http", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  const connection = (id = "alice"): string[] => [
    ...["--server", world.server],
    ...["--identity", world.identity(id)],
    "--accept-new-host-key",
  ];

  it("prints the URL alone on stdout, and the requests on stderr", async () => {
    const upstream = await startUpstream(hello);
    const expose = startExpose(
      [`${upstream.port}`, "-s", "plain", ...connection()],
      useCliHome().env,
    );
    await expose.waitFor(/through/);
    await expose.waitFor(URL_LINE);
    expect(expose.stdout).toBe(`${world.urlOf("plain")}\n`);
    expect((await visit(world.urlOf("plain"), "/a?b=c")).text).toBe(
      "hello /a?b=c",
    );
    await expose.waitFor(/GET \/a\?b=c 200 \d+ ms/);
    expect(expose.stdout).toBe(`${world.urlOf("plain")}\n`);
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "closes within a second at %s, with status 0, and gives the name back",
    async (signal) => {
      const expose = startExpose(
        ["8080", "-s", "ended", ...connection(), "--json"],
        useCliHome().env,
      );
      await expose.waitFor(/"event":"ready"/);
      const start = performance.now();
      expose.kill(signal);
      expect(await expose.exited).toEqual({ code: 0, signal: null });
      expect(performance.now() - start).toBeLessThan(1_000);
      expect(eventsOf(expose).at(-1)).toMatchObject({
        event: "closed",
        tunnel: "ended",
      });
      // Nobody has to wait for a name that was given back.
      const next = await world.expose({ port: 8080, name: "ended" }, "bob");
      expect(next.name).toBe("ended");
      await next.close();
    },
  );

  it("says each thing that happens as one JSON object a line", async () => {
    const upstream = await startUpstream(hello);
    const expose = startExpose(
      [`${upstream.port}`, "-s", "events", ...connection(), "--json"],
      useCliHome().env,
    );
    await expose.waitFor(/"event":"ready"/);
    await visit(world.urlOf("events"), "/x", { method: "POST", body: "12345" });
    await expose.waitFor(/"event":"request"/);
    const events = eventsOf(expose);
    expect(events.find(({ event }) => event === "ready")).toMatchObject({
      tunnel: "events",
      url: world.urlOf("events"),
      upstream: `localhost:${upstream.port}`,
      server: world.server,
      identity: "alice",
      ingress,
    });
    expect(events.at(-1)).toMatchObject({
      event: "request",
      tunnel: "events",
      method: "POST",
      path: "/x",
      status: 200,
      bytesIn: expect.any(Number),
    });
    expect(expose.stderr).toBe("");
  });

  it("prints nothing but the URL when it is told to be quiet", async () => {
    const upstream = await startUpstream(hello);
    const expose = startExpose(
      [`${upstream.port}`, "-s", "quiet", ...connection(), "--quiet"],
      useCliHome().env,
    );
    await expose.waitFor(/\n/);
    await visit(world.urlOf("quiet"));
    expose.kill("SIGINT");
    await expose.exited;
    expect(expose.stdout).toBe(`${world.urlOf("quiet")}\n`);
    expect(expose.stderr).toBe("");
  });

  it("takes a whole URL under the edge's domain for its name, and refuses any other", async () => {
    const { host } = new URL(world.urlOf("whole"));
    const expose = startExpose(
      ["8080", "--url", `http://${host}/`, ...connection(), "--json"],
      useCliHome().env,
    );
    await expose.waitFor(/"event":"ready".*"tunnel":"whole"/);
    const refused = await runExpose(
      ["8080", "--domain", "whole.example.com", ...connection()],
      useCliHome().env,
    );
    expect(refused.code).toBe(14);
    expect(refused.stderr).toContain(
      '"whole.example.com" is not under the domain',
    );
    expect(refused.stdout).toBe("");
  });

  it("refuses a name that somebody else holds, in words and as an event", async () => {
    const tunnel = await world.expose({ port: 8080, name: "taken" }, "bob");
    const result = await runExpose(
      ["8080", "-s", "taken", ...connection(), "--json"],
      useCliHome().env,
    );
    await tunnel.close();
    expect(result.code).toBe(14);
    expect(result.stderr).toMatch(/^expose: .*"taken".*\[name-refused\]$/m);
    expect(eventsOf(result).at(-1)).toMatchObject({
      event: "error",
      code: "name-refused",
      edgeCode: "name-taken",
      exit: 14,
    });
  });

  it("comes back under the same URL when the edge is killed and started again", async () => {
    const upstream = await startUpstream(hello);
    const expose = startExpose(
      [`${upstream.port}`, ...connection(), "--json"],
      useCliHome().env,
    );
    await expose.waitFor(/"event":"ready"/);
    const ready = eventsOf(expose).find(({ event }) => event === "ready")!;
    await world.restartEdge("SIGKILL");
    await expose.waitFor(/"event":"reconnected"/);
    expect(eventsOf(expose)).toContainEqual(
      expect.objectContaining({
        event: "reconnecting",
        attempt: 1,
        delayMs: expect.any(Number),
        code: "connection-lost",
      }),
    );
    const back = eventsOf(expose).find(({ event }) => event === "reconnected");
    expect(back).toMatchObject({ url: ready["url"] });
    expect((await visit(String(ready["url"]), "/back")).text).toBe(
      "hello /back",
    );
  });

  it("names the one flag or line that mends an answer of a dev server that refuses the host", async () => {
    const vite = await startUpstream((_request, response) => {
      response.writeHead(403, { "content-type": "text/plain" });
      response.end(
        'Blocked request. This host ("hinted.localhost") is not allowed.\nTo allow this host, add "hinted.localhost" to `server.allowedHosts` in vite.config.js.',
      );
    });
    const expose = startExpose(
      [`${vite.port}`, "-s", "hinted", ...connection()],
      useCliHome().env,
    );
    await expose.waitFor(/through/);
    await visit(world.urlOf("hinted"));
    await expose.waitFor(/hint: .*(--host-header rewrite|allowedHosts)/);
  });

  it("says when the local service is away and when it is back", async () => {
    const upstream = await startUpstream(hello);
    const { port } = upstream;
    await upstream.close();
    const expose = startExpose(
      [`${port}`, "-s", "down", ...connection(), "--json"],
      useCliHome().env,
    );
    await expose.waitFor(/"event":"ready"/);
    expect((await visit(world.urlOf("down"))).status).toBe(502);
    await expose.waitFor(/"event":"upstream".*"state":"down".*Nothing listens/);
    await startUpstream(hello, { port });
    expect((await visit(world.urlOf("down"))).status).toBe(200);
    await expose.waitFor(/"event":"upstream".*"state":"up"/);
  });

  it("ends when nobody reads its events any more", async () => {
    const upstream = await startUpstream(hello);
    const expose = startExpose(
      [`${upstream.port}`, "-s", "unread", ...connection(), "--json"],
      useCliHome().env,
    );
    await expose.waitFor(/"event":"ready"/);
    expose.child.stdout!.destroy();
    await once(expose.child.stdout!, "close");
    await visit(world.urlOf("unread"));
    expect((await expose.exited).signal).toBeNull();
  });

  it("tells the newer of two that hold a name from the older, which ends with a status of its own", async () => {
    const first = startExpose(
      ["8080", "-s", "moved", ...connection(), "--json"],
      useCliHome().env,
    );
    await first.waitFor(/moved/);
    const second = startExpose(
      ["8080", "-s", "moved", ...connection()],
      useCliHome().env,
    );
    await second.waitFor(/moved/);
    expect(await first.exited).toEqual({ code: 16, signal: null });
    expect(first.stderr).toContain("[superseded]");
    expect(eventsOf(first).slice(-2)).toEqual([
      expect.objectContaining({
        event: "closed",
        tunnel: "moved",
        url: world.urlOf("moved"),
        code: "superseded",
      }),
      expect.objectContaining({ event: "error", code: "superseded", exit: 16 }),
    ]);
  });

  it("hands --host-header on to the edge", async () => {
    const upstream = await startUpstream((request, response) => {
      response.end(request.headers.host);
    });
    const seen = async (name: string, value: string): Promise<string> => {
      const expose = startExpose(
        [
          `${upstream.port}`,
          ...["-s", name, "--host-header", value],
          ...connection(),
        ],
        useCliHome().env,
      );
      await expose.waitFor(/through/);
      return (await visit(world.urlOf(name))).text;
    };
    expect(await seen("kept", "preserve")).toBe(
      new URL(world.urlOf("kept")).host,
    );
    expect(await seen("rewritten", "rewrite")).toBe(
      `localhost:${upstream.port}`,
    );
    expect(await seen("given", "app.test")).toBe("app.test");
  });

  it("takes the server from EXPOSE_SERVER, and a flag before that", async () => {
    const [flag, server, ...rest] = connection();
    const { env } = useCliHome();
    const expose = startExpose(["8080", "-s", "env", ...rest], {
      ...env,
      EXPOSE_SERVER: server!,
    });
    await expose.waitFor(/through/);
    await expose.waitFor(URL_LINE);
    expect(expose.stdout).toBe(`${world.urlOf("env")}\n`);
    const second = startExpose(
      ["8080", "-s", "flag", flag!, server!, ...rest],
      {
        ...env,
        EXPOSE_SERVER: "nobody@127.0.0.1:1",
      },
    );
    await second.waitFor(/through/);
    await second.waitFor(URL_LINE);
    expect(second.stdout).toBe(`${world.urlOf("flag")}\n`);
  });

  it("says at once that nothing listens on the local port", async () => {
    const { env } = useCliHome();
    const expose = startExpose([`${await freePort()}`, ...connection()], env);
    await expose.waitFor(
      /Nothing listens on localhost:\d+ .* Visitors get an error page until the local service runs/,
    );
    await expose.waitFor(URL_LINE);
  });

  it("opens none of several tunnels when one of them is refused", async () => {
    const held = await world.expose({ port: 8080, name: "held" }, "bob");
    const { env, home } = useCliHome();
    const file = join(home, "expose.yaml");
    writeFileSync(
      file,
      "tunnels:\n  free: { upstream: 8080, name: free }\n  held: { upstream: 8080, name: held }\n",
    );
    const result = await runExpose(
      ["start", "--all", "--config", file, ...connection()],
      env,
    );
    await held.close();
    expect(result.code).toBe(14);
    expect(result.stdout).toBe("");
    // Another's from now on, since nothing of the failed start holds it.
    const next = await world.expose({ port: 8080, name: "free" }, "bob");
    expect(next.name).toBe("free");
    await next.close();
  });

  it("opens tunnels of the configuration file by name, all of them over one session", async () => {
    const upstream = await startUpstream(hello);
    const { env, home } = useCliHome();
    const folder = join(home, ".config/expose");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "config.yaml"),
      `server: ${world.server}
identity: ${world.identity("alice")}
accept-new-host-key: true
tunnels:
  web: { upstream: ${upstream.port}, name: web }
  api: { upstream: ${upstream.port}, name: api }
  off: { upstream: ${upstream.port}, name: "off" }
`,
    );
    const expose = startExpose(["start", "api", "web"], env);
    await expose.waitFor(/web: .*through/);
    await expose.waitFor(/^(http:.*\n){2}/);
    expect(expose.stdout).toBe(
      `${world.urlOf("api")}\n${world.urlOf("web")}\n`,
    );
    expect((await visit(world.urlOf("web"), "/w")).text).toBe("hello /w");
    await expose.waitFor(/web: GET \/w 200/);
    expect((await visit(world.urlOf("off"))).status).toBe(404);
    expose.kill("SIGINT");
    await expose.exited;

    const all = startExpose(["start", "--all", "--json"], env);
    await all.waitFor(/(?:[^]*?"ready".*\n){3}/);
    all.kill("SIGINT");
    await all.exited;

    const slip = await runExpose(["start", "wep"], env);
    expect(slip.code).toBe(2);
    expect(slip.stderr).toContain("Did you mean web?");
    const none = await runExpose(["start"], env);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("expose start --all");
  });
});
