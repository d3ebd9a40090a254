// What the Node API gives beside a URL, and the ways to end it: by a block's end, by an AbortSignal, and by nobody.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

describeIngress("the Node API", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  // Nobody else gets a name that is still held or kept.
  async function isFree(name: string): Promise<boolean> {
    try {
      const tunnel = await world.expose({ port: 8080, name }, "bob");
      await tunnel.close();
      return true;
    } catch {
      return false;
    }
  }

  it("gives the name back at the end of a block that disposes of the tunnel", async () => {
    const tunnel = await world.expose({ port: 8080, name: "block" });
    expect(await isFree("block")).toBe(false);
    await tunnel[Symbol.asyncDispose]();
    expect(tunnel.state).toBe("closed");
    await expect(tunnel.closed).resolves.toBeUndefined();
    expect(await isFree("block")).toBe(true);
  });

  it("ends every tunnel of a session that is disposed of", async () => {
    const session = await world.openSession();
    const tunnel = await session.open({ port: 8080, name: "session" });
    await session[Symbol.asyncDispose]();
    expect(tunnel.state).toBe("closed");
    expect(await isFree("session")).toBe(true);
  });

  it("ends at an AbortSignal as by close(), which is no error", async () => {
    const stop = new AbortController();
    const tunnel = await world.expose({
      port: 8080,
      name: "stopped",
      signal: stop.signal,
    });
    onTestFinished(() => tunnel.close());
    stop.abort();
    await expect(tunnel.closed).resolves.toBeUndefined();
    expect(tunnel.state).toBe("closed");
    expect(await isFree("stopped")).toBe(true);
  });

  it("says where the inspector of a tunnel is, once it is there", async () => {
    const stateFolder = mkdtempSync(join(tmpdir(), "expose-api-"));
    onTestFinished(() => rmSync(stateFolder, { recursive: true }));
    const tunnel = await world.expose({
      port: 8080,
      name: "inspected",
      inspect: { port: 0, stateFolder },
    });
    onTestFinished(() => tunnel.close());
    expect(tunnel.inspectorUrl).toBeUndefined();
    const [{ url }] = (await once(tunnel, "inspecting")) as [{ url: string }];
    expect(tunnel.inspectorUrl).toBe(url);
    const answer = await fetch(`${url}/api/tunnels`);
    expect(await answer.json()).toMatchObject({
      tunnels: [{ name: "inspected", public_url: tunnel.url }],
    });
  });

  it("gives up an attempt at an AbortSignal that has fired", async () => {
    await expect(
      world.expose({ port: 8080, name: "early", signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "aborted" });
    expect(await isFree("early")).toBe(true);
  });
});
