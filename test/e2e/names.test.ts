// Whose a name is: takeover by its owner, refusal to others, and what visitors see while the owner is away.
import { once } from "node:events";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { ExposeError, Tunnel } from "@expose/client";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";

describeIngress("names", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress, {
      config: "timeouts: { away-wait: 200ms }",
    });
  });
  afterAll(() => world.stop());

  async function open(
    port: number,
    name: string | undefined,
    id = "alice",
  ): Promise<Tunnel> {
    const tunnel = await world.expose({ port, name }, id);
    onTestFinished(() => tunnel.close());
    return tunnel;
  }

  it("serves a chosen name and a random one under the same service", async () => {
    const upstream = await startUpstream(hello);
    const chosen = await open(upstream.port, "shop");
    const random = await open(upstream.port, undefined);
    expect(chosen.url).toBe(world.urlOf("shop"));
    expect(random.name).toMatch(/^[a-z][a-z0-9]{13}$/);
    expect((await visit(chosen.url, "/a")).text).toBe("hello /a");
    expect((await visit(random.url, "/b")).text).toBe("hello /b");
  });

  it("refuses a name that another identity holds, with the reason", async () => {
    const upstream = await startUpstream(hello);
    await open(upstream.port, "taken");
    const error = await open(upstream.port, "taken", "bob").catch(
      (e: ExposeError) => e,
    );
    expect(error).toMatchObject({
      code: "name-refused",
      edgeCode: "name-taken",
      final: true,
    });
    expect((error as ExposeError).message).toContain('"taken"');
    expect((error as ExposeError).message).not.toContain("alice");
  });

  it.each(["www", "xn--bcher-kva"])("refuses the name %s", async (name) => {
    const upstream = await startUpstream(hello);
    await expect(open(upstream.port, name)).rejects.toMatchObject({
      code: "name-refused",
    });
  });

  it("gives a name to the newest session of its owner at once; the older one is told, and is no longer asked", async () => {
    const first = await startUpstream((_, response) => response.end("first"));
    const second = await startUpstream((_, response) => response.end("second"));
    const older = await open(first.port, "mine");
    const closed = once(older, "closed");
    expect((await visit(older.url)).text).toBe("first");
    const newer = await open(second.port, "mine");
    expect(newer.url).toBe(older.url);
    expect((await visit(newer.url)).text).toBe("second");
    const [{ error }] = (await closed) as [{ error: ExposeError }];
    expect(error.code).toBe("superseded");
    expect((await visit(newer.url)).text).toBe("second");
    expect(first.seen).toHaveLength(1);
  });

  it("frees a name when its owner closes the tunnel", async () => {
    const upstream = await startUpstream(hello);
    const tunnel = await open(upstream.port, "brief");
    await tunnel.close();
    const gone = await visit(tunnel.url);
    expect(gone.status).toBe(404);
    expect(gone.headers["expose-error"]).toBe("tunnel-unknown");
    await open(upstream.port, "brief", "bob");
    expect((await visit(tunnel.url, "/bob")).text).toBe("hello /bob");
  });

  it("ends a session within a second when its key is removed, and its name is free", async () => {
    const upstream = await startUpstream(hello);
    await world.addIdentity("carol");
    const tunnel = await open(upstream.port, "leaver", "carol");
    expect((await visit(tunnel.url)).status).toBe(200);
    const closed = once(tunnel, "closed");
    const removedAt = performance.now();
    world.removeIdentity("carol");
    for (;;) {
      const { status } = await visit(tunnel.url);
      if (status === 404) break;
      expect(
        performance.now() - removedAt,
        "the route outlived its key",
      ).toBeLessThan(1_500);
    }
    const [{ error }] = (await closed) as [{ error: ExposeError }];
    expect(["auth-failed", "revoked"]).toContain(error.code);
    await open(upstream.port, "leaver", "bob");
  });
});
