// `expose PORT --bare` against Debian's own sshd: who can reach it, and how it comes back.
import { connect, createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { runExpose, startExpose, useCliHome } from "../harness/cli.ts";
import { freePort, startPlainSshd } from "../harness/plain-sshd.ts";
import { hello, startUpstream } from "../harness/upstreams.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

async function get(url: string): Promise<string> {
  const response = await fetch(url);
  return response.text();
}

describeIngress("expose --bare at an edge", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  test.each(["0", "23000"])(
    "with --remote-port %s says that it is one, and what to type instead",
    async (port) => {
      const { env } = useCliHome();
      const result = await runExpose(
        [
          ...["8080", "--bare", "--remote-port", port],
          ...["--server", world.server, "--identity", world.identity("alice")],
          "--accept-new-host-key",
        ],
        env,
      );
      expect(result.code).toBe(7);
      expect(result.stdout).toBe("");
      expect(result.stderr).toContain("[server-is-edge]");
      expect(result.stderr).toContain(`expose 8080 --server ${world.server}`);
    },
  );
});

test("a port that an edge behind sshd has granted is kept over a restart of the edge, and lost with the key", async () => {
  // one ingress only: the embedded SSH server has no ports to grant
  const world = await startWorld("openssh");
  onTestFinished(() => world.stop());
  const upstream = await startUpstream(hello);
  const port = await freePort();
  const key = await world.addIdentity("carol", `direct-ports="${port}"`);
  const expose = startExpose(
    [
      ...[`${upstream.port}`, "--bare", "--remote-port", `${port}`, "--json"],
      ...["--server", world.server, "--identity", key],
      "--accept-new-host-key",
    ],
    useCliHome().env,
  );
  await expose.waitFor(/"event":"ready"/);
  await world.edge.waitFor(/session greeted identity=carol/);
  expect(await get(`http://127.0.0.1:${port}/1`)).toBe("hello /1");
  expect(expose.stdout).not.toContain("reconnecting");

  await world.restartEdge();
  await world.edge.waitFor(/session greeted identity=carol/);
  await expose.waitFor(/"event":"reconnected"/);
  expect(await get(`http://127.0.0.1:${port}/2`)).toBe("hello /2");

  world.removeIdentity("carol");
  await expose.exited;
  await expect(get(`http://127.0.0.1:${port}/3`)).rejects.toThrow("fetch");
});

test("a port of the server leads to the local one, and the URL is all there is on stdout", async () => {
  const sshd = await startPlainSshd(["GatewayPorts clientspecified"]);
  const upstream = await startUpstream(hello);
  const port = await freePort();
  const expose = startExpose(
    [
      `${upstream.port}`,
      "--bare",
      "--server",
      sshd.server,
      "--remote-port",
      `${port}`,
    ],
    sshd.env,
  );
  await expose.waitFor(/^http:.*\n/);
  expect(expose.stdout).toBe(`http://${sshd.host}:${port}/\n`);
  expect(await get(`http://${sshd.host}:${port}/path`)).toBe("hello /path");
  // The client knocked at its own port first: that was no visitor.
  expect(upstream.seen).toEqual(["GET /path"]);
  expect(expose.stderr).toContain(`localhost:${upstream.port}`);
  expect(expose.stderr).not.toContain("GatewayPorts");
  expose.kill("SIGINT");
  expect(await expose.exited).toEqual({ code: 0, signal: null });
  await expect(get(`http://${sshd.host}:${port}/`)).rejects.toThrow(
    "fetch failed",
  );
});

test("port 0 lets the server choose", async () => {
  const sshd = await startPlainSshd(["GatewayPorts yes"]);
  const upstream = await startUpstream(hello);
  const expose = startExpose(
    [
      `${upstream.port}`,
      "--bare",
      "--server",
      sshd.server,
      "--remote-port",
      "0",
      "--json",
    ],
    sshd.env,
  );
  const [line] = await expose.waitFor(/^\{"event":"ready".*$/m);
  const ready = JSON.parse(line);
  expect(ready).toMatchObject({
    upstream: `localhost:${upstream.port}`,
    server: sshd.server,
  });
  expect(await get(`${ready.url}x`)).toBe("hello /x");
});

test("without GatewayPorts it says that the port is private, and what to write into sshd_config", async () => {
  const sshd = await startPlainSshd(["GatewayPorts no"]);
  const upstream = await startUpstream(hello);
  const port = await freePort();
  const expose = startExpose(
    [
      `${upstream.port}`,
      "--bare",
      "--server",
      sshd.server,
      "--remote-port",
      `${port}`,
    ],
    sshd.env,
  );
  await expose.waitFor(/GatewayPorts clientspecified/);
  await expose.waitFor(/^http:.*\n/);
  expect(expose.stdout).toBe(`http://${sshd.host}:${port}/\n`);
  expect(expose.stderr).toContain("own loopback");
  expect(expose.stderr).not.toContain("firewall");
  // It is as it says: the server itself gets through, from elsewhere nobody does.
  expect(await get(`http://127.0.0.1:${port}/own`)).toBe("hello /own");
  await expect(get(`http://${sshd.host}:${port}/`)).rejects.toThrow(
    "fetch failed",
  );
});

test("an account that may run nothing is told both possible reasons", async () => {
  const sshd = await startPlainSshd(["GatewayPorts no", "ForceCommand false"]);
  const upstream = await startUpstream(hello);
  const expose = startExpose(
    [`${upstream.port}`, "--bare", "--server", sshd.server],
    sshd.env,
  );
  await expose.waitFor(/GatewayPorts.*firewall/);
});

test("a port that is in use on the server is refused with exit status 18", async () => {
  const sshd = await startPlainSshd(["GatewayPorts clientspecified"]);
  const port = await takePort("::");
  const result = await runExpose(
    ["8080", "--bare", "--server", sshd.server, "--remote-port", `${port}`],
    sshd.env,
  );
  expect(result.code).toBe(18);
  expect(result.stdout).toBe("");
  expect(result.stderr).toContain(`listen on *:${port}`);
  expect(result.stderr).toContain("[forward-refused]");
});

test("a port that sshd got over IPv6 alone is said to be somebody else's over IPv4", async () => {
  const sshd = await startPlainSshd(["GatewayPorts clientspecified"]);
  const port = await takePort("0.0.0.0");
  const expose = startExpose(
    ["8080", "--bare", "--server", sshd.server, "--remote-port", `${port}`],
    sshd.env,
  );
  await expose.waitFor(
    /Something else than this tunnel answers at .*Choose another --remote-port/,
  );
});

test("after kill -9 of sshd the tunnel comes back on the same port", async () => {
  const sshd = await startPlainSshd(["GatewayPorts clientspecified"]);
  const upstream = await startUpstream(hello);
  const expose = startExpose(
    [`${upstream.port}`, "--bare", "--server", sshd.server, "--json"],
    sshd.env,
  );
  const [line] = await expose.waitFor(/^\{"event":"ready".*$/m);
  const { url } = JSON.parse(line);
  await sshd.kill();
  await expose.waitFor(/"event":"reconnecting"/);
  await sshd.restart();
  const [back] = await expose.waitFor(/^\{"event":"reconnected".*$/m);
  expect(JSON.parse(back).url).toBe(url);
  expect(await get(`${url}again`)).toBe("hello /again");
});

test("Ctrl-C ends it within a second with status 0, also while the server is away", async () => {
  const sshd = await startPlainSshd(["GatewayPorts clientspecified"]);
  const expose = startExpose(
    ["8080", "--bare", "--server", sshd.server, "--json"],
    sshd.env,
  );
  await expose.waitFor(/"event":"ready"/);
  await sshd.kill();
  await expose.waitFor(/"event":"reconnecting","[^\n]*"attempt":2/);
  const start = performance.now();
  expose.kill("SIGINT");
  expect(await expose.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - start).toBeLessThan(1_000);
});

test("the local service is dialled when a visitor connects, because it may speak first", async () => {
  const sshd = await startPlainSshd(["GatewayPorts clientspecified"]);
  const greeter = createServer((socket) => socket.end("220 I speak first\r\n"));
  greeter.listen(0, "127.0.0.1");
  await once(greeter, "listening");
  onTestFinished(() => void greeter.close());
  const { port } = greeter.address() as AddressInfo;
  const expose = startExpose(
    [`${port}`, "--bare", "--server", sshd.server],
    sshd.env,
  );
  const [, remotePort] = await expose.waitFor(/^http:.*:(\d+)\/\n/);
  const visitor = connect(Number(remotePort), sshd.host);
  onTestFinished(() => void visitor.destroy());
  const [greeting] = await once(visitor, "data");
  expect(String(greeting)).toBe("220 I speak first\r\n");
});

test("a --remote-port that is no port, and one without --bare, are refused without a server", async () => {
  const env = { HOME: "/nonexistent" };
  const server = ["--server", "nobody@127.0.0.1:1"];
  const noPort = await runExpose(
    ["8080", "--bare", "--remote-port", "70000", ...server],
    env,
  );
  expect(noPort.code).toBe(2);
  expect(noPort.stderr).toContain('--remote-port "70000" is no port');
  const noBare = await runExpose(
    ["8080", "--remote-port", "23000", ...server],
    env,
  );
  expect(noBare.code).toBe(2);
  expect(noBare.stderr).toContain("--bare");
});

async function takePort(host: string): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => {}));
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
