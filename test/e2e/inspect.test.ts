// The inspector of a session: what passes the tunnel is kept and served beside it.
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
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
});

// As the command line does it: by the run file.
async function apiOf(
  stateFolder: string,
): Promise<(path: string) => Promise<{ items: unknown[] }>> {
  const folder = join(stateFolder, "run");
  const [file] = await readdir(folder);
  const { url, token } = JSON.parse(
    await readFile(join(folder, file!), "utf8"),
  ) as { url: string; token: string };
  return async (path) => {
    const response = await fetch(url + path, {
      headers: { authorization: `Bearer ${token}` },
    });
    return (await response.json()) as { items: unknown[] };
  };
}
