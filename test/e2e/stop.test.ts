// Stopping an edge: what runs finishes, what is open is told, and a second signal ends it at once.
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { echo, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

describeIngress("a graceful stop", (ingress) => {
  let world: World;
  beforeEach(async () => {
    world = await startWorld(ingress);
  });
  afterEach(() => world.stop());

  it("lets a running request finish, sends WebSockets away with 1001, refuses new visitors, and brings the client back to its successor", async () => {
    let answer!: () => void;
    const upstream = await startUpstream((_, response) => {
      response.write("first ");
      answer = () => response.end("second");
    });
    const sockets = new WebSocketServer({ server: upstream.server });
    onTestFinished(() => void sockets.close());
    const tunnel = await world.expose({ port: upstream.port });
    onTestFinished(() => tunnel.close());
    const { host, port } = new URL(tunnel.url);

    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
      headers: { host },
    });
    await once(socket, "open");
    const request = httpRequest({
      host: "127.0.0.1",
      port,
      headers: { host },
      agent: false,
    });
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    let text = "";
    response.on("data", (chunk) => (text += String(chunk)));
    await once(response, "data");

    const socketClosed = once(socket, "close");
    const back = once(tunnel, "reconnected");
    world.edge.kill("SIGTERM");
    const [code] = (await socketClosed) as [number];
    expect(code).toBe(1_001);
    const late = connect(Number(port), "127.0.0.1");
    await expect(once(late, "connect")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
    answer();
    await once(response, "end");
    expect(text).toBe("first second");
    expect((await world.edge.exited).code).toBe(0);

    await world.restartEdge();
    await back;
    const { url } = tunnel;
    expect(new URL(url).host).toBe(host);
  });

  it("ends at once at a second signal", async () => {
    const upstream = await startUpstream(
      (_, response) => void response.write("and then nothing"),
    );
    const tunnel = await world.expose({ port: upstream.port });
    onTestFinished(() => tunnel.close());
    const { host, port } = new URL(tunnel.url);
    const request = httpRequest({
      host: "127.0.0.1",
      port,
      headers: { host },
      agent: false,
    });
    request.on("error", () => {});
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.on("error", () => {});
    world.edge.kill("SIGTERM");
    const refused = async (): Promise<boolean> => {
      const probe = connect(Number(port), "127.0.0.1");
      return once(probe, "connect")
        .then(
          () => false,
          () => true,
        )
        .finally(() => probe.destroy());
    };
    while (!(await refused()));
    expect(world.edge.child.exitCode).toBeNull();
    const secondAt = performance.now();
    world.edge.kill("SIGTERM");
    await world.edge.exited;
    expect(performance.now() - secondAt).toBeLessThan(2_000);
  });

  it("serves again under the same name after a restart", async () => {
    const upstream = await startUpstream(echo);
    const tunnel = await world.expose({ port: upstream.port, name: "again" });
    onTestFinished(() => tunnel.close());
    const back = once(tunnel, "reconnected");
    await world.restartEdge("SIGTERM");
    await back;
    expect(
      (await visit(tunnel.url, "/", { method: "POST", body: "x" })).text,
    ).toBe("x");
  });
});
