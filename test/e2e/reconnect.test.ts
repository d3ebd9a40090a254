// Tunnels that come back under the same URL, whatever broke.
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { Tunnel } from "@expose/client";
import { startRelay } from "../harness/relay.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";

describeIngress("reconnecting", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress, {
      config:
        "limits: { tunnels-per-identity: 1000, sessions-per-identity: 1000 }",
    });
  });
  afterAll(() => world.stop());

  async function throughRelay(): Promise<{
    tunnel: Tunnel;
    relay: Awaited<ReturnType<typeof startRelay>>;
  }> {
    const upstream = await startUpstream(hello);
    const [user, address] = world.server.split("@") as [string, string];
    const relay = await startRelay({
      host: "127.0.0.1",
      port: Number(address.split(":")[1]),
    });
    onTestFinished(() => relay.close());
    const tunnel = await world.expose({
      port: upstream.port,
      server: `${user}@127.0.0.1:${relay.port}`,
    });
    onTestFinished(() => tunnel.close());
    return { tunnel, relay };
  }

  it("is back under the same random URL after the connection was reset", async () => {
    const { tunnel, relay } = await throughRelay();
    const { url } = tunnel;
    expect((await visit(url, "/1")).text).toBe("hello /1");
    const back = once(tunnel, "reconnected");
    relay.reset();
    await back;
    expect(tunnel.url).toBe(url);
    expect((await visit(url, "/2")).text).toBe("hello /2");
  });

  it("lets a visitor who comes while the client is away wait for it", async () => {
    const { tunnel, relay } = await throughRelay();
    await visit(tunnel.url);
    const lost = once(tunnel, "reconnecting");
    relay.reset();
    await lost;
    expect((await visit(tunnel.url, "/patient")).text).toBe("hello /patient");
  });

  it("notices a silent cut, and is back within five seconds of the network's return", async () => {
    const { tunnel, relay } = await throughRelay();
    await visit(tunnel.url);
    const lost = once(tunnel, "reconnecting");
    relay.cutSilently();
    await lost;
    const back = once(tunnel, "reconnected");
    const restoredAt = performance.now();
    relay.restore();
    await back;
    expect(performance.now() - restoredAt).toBeLessThan(5_000);
    expect((await visit(tunnel.url, "/back")).text).toBe("hello /back");
  });

  it("is back after the edge was killed and started again", async () => {
    const upstream = await startUpstream(hello);
    const tunnel = await world.expose({ port: upstream.port });
    onTestFinished(() => tunnel.close());
    const { url } = tunnel;
    const back = once(tunnel, "reconnected");
    await world.restartEdge("SIGKILL");
    await back;
    expect(tunnel.url).toBe(url);
    expect((await visit(url, "/again")).text).toBe("hello /again");
  });

  it("ends what is under way in both directions when its connection's server is killed, and is back", async () => {
    const cut = new EventEmitter();
    const upstream = await startUpstream((incoming, response) => {
      if (incoming.url === "/again") return void response.end("whole");
      if (incoming.method === "GET") response.write("a part");
      else
        incoming.once("data", () => {
          incoming.once("close", () => {
            cut.emit("upload", incoming.complete);
          });
          cut.emit("uploading");
        });
    });
    const tunnel = await world.expose({ port: upstream.port });
    onTestFinished(() => tunnel.close());
    const { host, port } = new URL(tunnel.url);
    const ask = (method: string): ClientRequest =>
      request({
        ...{ host: "127.0.0.1", port, method, headers: { host } },
        agent: false,
      });

    const download = ask("GET").end();
    const [response] = (await once(download, "response")) as [IncomingMessage];
    response.on("error", () => {});
    await once(response, "data");
    // Not once(): what it is cut off with is an error.
    const downloadCut = new Promise((resolve) =>
      response.once("close", resolve),
    );
    const upload = ask("POST");
    upload.on("error", () => {});
    upload.on("response", (answer) => answer.resume());
    const uploading = once(cut, "uploading");
    upload.write("a part");
    await uploading;
    const uploadCut = once(cut, "upload");
    const back = once(tunnel, "reconnected");

    if (world.sshd) {
      await world.sshd.kill9();
      await world.sshd.restart();
    } else {
      await world.restartEdge("SIGKILL");
    }
    await downloadCut;
    // A part is not taken for all of it, at either end.
    expect(response.complete).toBe(false);
    expect(await uploadCut).toEqual([false]);
    await back;
    upload.destroy();
    expect((await visit(tunnel.url, "/again")).text).toBe("whole");
  });

  it("frees the tunnel of a client that was killed, for its owner at once", async () => {
    const upstream = await startUpstream(hello);
    const options = JSON.stringify({
      ...world.session(),
      port: upstream.port,
      name: "killed",
    });
    const child = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import { expose } from "@expose/client"; await expose(${options}); console.log("open");`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    const url = world.urlOf("killed");
    expect((await visit(url)).status).toBe(200);
    child.kill("SIGKILL");
    await once(child, "close");
    const tunnel = await world.expose({ port: upstream.port, name: "killed" });
    onTestFinished(() => tunnel.close());
    expect((await visit(url, "/mine")).text).toBe("hello /mine");
  });

  it("brings 200 clients back that lost their server at the same moment", async () => {
    const upstream = await startUpstream(hello);
    const tunnels = await Promise.all(
      Array.from({ length: 200 }, () =>
        world.expose({ port: upstream.port, watchRequests: false }),
      ),
    );
    onTestFinished(
      async () =>
        void (await Promise.all(tunnels.map((tunnel) => tunnel.close()))),
    );
    const urls = tunnels.map(({ url }) => url);
    const back = Promise.all(
      tunnels.map((tunnel) => once(tunnel, "reconnected")),
    );
    if (world.sshd) {
      await world.sshd.kill9();
      await world.sshd.restart();
    } else {
      await world.restartEdge("SIGKILL");
    }
    await back;
    expect(tunnels.map(({ url }) => url)).toEqual(urls);
    for (const url of urls)
      expect((await visit(url, "/x")).text).toBe("hello /x");
  }, 120_000);
});
