// The inspector of a session: what passes the tunnel is kept and served beside it.
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SessionOptions } from "@expose/client";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { echo, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { exchange, writeHead } from "../soak/heads.ts";
import { startRawOrigin } from "../soak/raw-origin.ts";

describeIngress("the inspector", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  async function useStateFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "expose-state-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  it("shows a request that passed before it was loaded", async () => {
    const stateFolder = await useStateFolder();
    const upstream = await startUpstream(echo);
    const session = await world.openSession({
      inspect: { port: 0, stateFolder },
    });
    onTestFinished(() => session.close());
    const inspecting = once(session, "inspecting");
    const tunnel = await session.open({ port: upstream.port, name: "seen" });
    const answer = await visit(tunnel.url, "/first?a=1", {
      method: "POST",
      body: "hello",
    });
    expect(answer.text).toBe("hello");
    await inspecting;
    const ask = await apiOf(stateFolder);
    const { items } = await ask("/api/v1/exchanges");
    expect(items).toMatchObject([
      {
        method: "POST",
        target: "/first?a=1",
        status: 200,
        state: "complete",
        requestBytes: 5,
        responseBytes: 5,
        tunnel: "seen",
      },
    ]);
  });

  // As `curl http://…/ü` sends it.
  it("shows requests with raw bytes in their paths, and so do the live line and the access log", async () => {
    const stateFolder = await useStateFolder();
    // Node's own server would take none of them.
    const upstream = await startRawOrigin(
      ({ body }) =>
        writeHead("HTTP/1.1 200 OK", [["Content-Length", `${body.length}`]]) +
        body.toString(),
    );
    onTestFinished(() => upstream.close());
    const session = await world.openSession({
      inspect: { port: 0, stateFolder },
    });
    onTestFinished(() => session.close());
    const inspecting = once(session, "inspecting");
    const tunnel = await session.open({ port: upstream.port, name: "raw" });
    const told: string[] = [];
    tunnel.on("request", ({ path }) => told.push(path));
    const targets = ["/\xc3\xbc", "/\xff", "/ascii"];
    for (const target of targets)
      expect(
        await exchange(
          world.httpPort,
          writeHead(`POST ${target} HTTP/1.1`, [
            ["Host", new URL(tunnel.url).host],
            ["Connection", "close"],
            ["Content-Length", "5"],
          ]) + "hello",
        ),
      ).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nhello$/);
    await inspecting;
    const ask = await apiOf(stateFolder);
    const { items } = await ask("/api/v1/exchanges");
    // The service's connection is kept: what the inspector cannot read would end what it sees of all three.
    expect(items.toReversed()).toMatchObject(
      targets.map((target) => ({ target, state: "complete", status: 200 })),
    );
    while (told.length < 3) await once(tunnel, "request");
    expect(told).toEqual(["/ü", "/ÿ", "/ascii"]);
    await vi.waitFor(() =>
      expect(
        world
          .accessLog()
          .filter(({ tunnel: name }) => name === "raw")
          .map(({ url }) => String(url).replace(/^[^/]*/, "")),
      ).toEqual(targets),
    );
  });

  it("finds in a later run what an earlier one kept, without its secrets", async () => {
    const stateFolder = await useStateFolder();
    const upstream = await startUpstream(echo);
    const options = { inspect: { port: 0, stateFolder } };
    const first = await world.openSession(options);
    const inspecting = once(first, "inspecting");
    const tunnel = await first.open({ port: upstream.port, name: "kept" });
    await inspecting;
    await visit(tunnel.url, "/secret?token=abc", {
      method: "POST",
      headers: { cookie: "session=def" },
      body: "kept body",
    });
    const live = await apiOf(stateFolder);
    const [seen] = (await live("/api/v1/exchanges")).items;
    expect(
      JSON.stringify(await live(`/api/v1/exchanges/${seen!.id}`)),
    ).toContain("session=def");
    await first.close();
    const file = join(stateFolder, "history.sqlite");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const bytes = await readFile(file, "latin1");
    expect(bytes).toContain("kept body");
    expect(bytes).not.toMatch(/session=def|token=abc/);

    const second = await world.openSession(options);
    onTestFinished(() => second.close());
    const again = once(second, "inspecting");
    await second.open({ port: upstream.port, name: "later" });
    await again;
    const ask = await apiOf(stateFolder);
    expect((await ask("/api/v1/exchanges")).items).toMatchObject([
      { id: seen!.id, tunnel: "kept", target: "/secret?token=[redacted]" },
    ]);
  });

  it("keeps nothing and serves nothing unless it is asked to", async () => {
    // Where it would be kept by default.
    const home = await useStateFolder();
    vi.stubEnv("XDG_STATE_HOME", home);
    onTestFinished(() => void vi.unstubAllEnvs());
    const upstream = await startUpstream(echo);
    const run = async (more: SessionOptions) => {
      const session = await world.openSession(more);
      const tunnel = await session.open({ port: upstream.port });
      await visit(tunnel.url, "/");
      // Whatever had begun is there when this is over.
      await session.close();
      return session.inspectorUrl;
    };
    expect(await run({})).toBeUndefined();
    expect(await readdir(home)).toEqual([]);
    await run({ inspect: { port: 0 } });
    expect(await readdir(join(home, "expose"))).toContain("history.sqlite");
  });
});

interface Answer {
  readonly items: readonly { readonly id: string }[];
}

// As the command line does it: by the run file.
async function apiOf(
  stateFolder: string,
): Promise<(path: string) => Promise<Answer>> {
  const folder = join(stateFolder, "run");
  const [file] = await readdir(folder);
  const { url, token } = JSON.parse(
    await readFile(join(folder, file!), "utf8"),
  ) as { url: string; token: string };
  return async (path) => {
    const response = await fetch(url + path, {
      headers: { authorization: `Bearer ${token}` },
    });
    return (await response.json()) as Answer;
  };
}
