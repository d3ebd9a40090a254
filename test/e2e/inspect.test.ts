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
