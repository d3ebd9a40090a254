// The inspector of a running client: what passes the tunnel is seen and can be repeated, and no visitor ever gets there.
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { Exchange, ExchangePage, ReplayAnswer } from "@expose/protocol";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { runExpose, startExpose, useCliHome } from "../harness/cli.ts";
import { findInspector } from "../harness/inspector.ts";
import { startSsh, useSshKey } from "../harness/openssh-client.ts";
import { freePort, startPlainSshd } from "../harness/plain-sshd.ts";
import { echo, hello, startUpstream } from "../harness/upstreams.ts";
import { dialEdge, visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

describeIngress("the inspector", (ingress) => {
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

  it("shows a request that passed, with its bodies byte for byte, and repeats it", async () => {
    const upstream = await startUpstream(echo);
    const { home, env } = useCliHome();
    const expose = startExpose(
      [`${upstream.port}`, "-s", "seen", ...connection()],
      env,
    );
    const inspector = await findInspector(expose, home);
    const body = Buffer.from([0, 1, 2, 0xff, 0x0d, 0x0a]);
    await visit(world.urlOf("seen"), "/hook?a=1", { method: "POST", body });

    const { items } = await inspector.json<ExchangePage>("/api/v1/exchanges");
    expect(items).toMatchObject([
      {
        tunnel: "seen",
        origin: world.urlOf("seen"),
        method: "POST",
        target: "/hook?a=1",
        status: 200,
        state: "complete",
      },
    ]);
    const path = `/api/v1/exchanges/${items[0]!.id}`;
    for (const side of ["request", "response"]) {
      const bytes = await inspector.fetch(`${path}/${side}/body`);
      expect(Buffer.from(await bytes.arrayBuffer())).toEqual(body);
    }

    const replay = await inspector.post(`${path}/replay`, {});
    const { results } = (await replay.json()) as ReplayAnswer;
    expect(results).toEqual([
      { id: expect.any(String), status: 200, sameClass: true },
    ]);
    expect(upstream.seen).toEqual(["POST /hook?a=1", "POST /hook?a=1"]);
    const repeated = await inspector.json<Exchange>(
      `/api/v1/exchanges/${results[0]!.id}`,
    );
    const original = await inspector.json<Exchange>(path);
    expect(repeated.replayOf).toBe(original.id);
    expect(repeated.request?.headers).toEqual(original.request?.headers);
    expect(repeated.request?.body).toEqual(original.request?.body);
  });

  it.each([
    ["a body with a length", "Content-Length: 5\r\n\r\nh\xe9\x00lo"],
    [
      "a chunked body",
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
  ])(
    "repeats a request with %s so that the local service gets the same bytes",
    async (_name, rest) => {
      const got: string[] = [];
      const recorder = createServer((socket) => {
        const connection = got.push("") - 1;
        socket.on("error", () => {});
        socket.on("data", (chunk) => {
          got[connection] += chunk.toString("latin1");
          // The end of either body.
          if (/lo(\r\n0\r\n\r\n)?$/.test(got[connection]!))
            socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        });
      });
      recorder.listen(0, "127.0.0.1");
      await once(recorder, "listening");
      onTestFinished(() => void recorder.close());
      const { home, env } = useCliHome();
      const expose = startExpose(
        [
          `${(recorder.address() as AddressInfo).port}`,
          ...["-s", "exact", ...connection()],
        ],
        env,
      );
      const inspector = await findInspector(expose, home);
      const visitor = await dialEdge(world.urlOf("exact"));
      onTestFinished(() => void visitor.destroy());
      visitor.write(
        `POST /a%2Fb?x=%20&&y HTTP/1.1\r\nhOsT: ${new URL(world.urlOf("exact")).host}\r\nX-Twice: 1\r\nACCEPT: */*\r\nx-twice: 2\r\nX-Latin: caf\xe9\r\n${rest}`,
        "latin1",
      );
      await once(visitor, "data");
      const { items } = await inspector.json<ExchangePage>("/api/v1/exchanges");
      const answer = await inspector.post(
        `/api/v1/exchanges/${items[0]!.id}/replay`,
        { times: 3 },
      );
      expect(answer.status).toBe(200);
      // The client looks whether the service is there, and says nothing then.
      const requests = got.filter((bytes) => bytes !== "");
      expect(requests).toHaveLength(4);
      expect(requests[0]).toMatch(
        /^POST \/a%2Fb\?x=%20&&y HTTP\/1\.1\r\nhOsT: /,
      );
      expect(new Set(requests).size).toBe(1);
    },
  );

  it("leaves no run file behind", async () => {
    const { home, env } = useCliHome();
    const expose = startExpose(["8080", ...connection(), "--json"], env);
    await findInspector(expose, home);
    const folder = join(home, ".local/state/expose/run");
    expect(readdirSync(folder)).toHaveLength(1);
    expose.kill("SIGINT");
    await expose.exited;
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is refused as the end of a tunnel by clients of its user, with a clear error", async () => {
    const { home, env } = useCliHome();
    const first = startExpose(["8080", ...connection(), "--json"], env);
    const { port } = await findInspector(first, home);
    for (const target of [`${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      const second = await runExpose([target, ...connection("bob")], env);
      expect(second.code).toBe(2);
      expect(second.stderr).toContain(
        `Port ${port} is the inspector of a running expose`,
      );
    }
  });

  it.each([["preserve"], ["rewrite"], ["INSPECTOR"]])(
    "answers no visitor although somebody else exposes its port, with --host-header %s",
    async (hostHeader) => {
      const upstream = await startUpstream(hello);
      const { home, env } = useCliHome();
      const victim = startExpose(
        [`${upstream.port}`, "-s", "victim", ...connection()],
        env,
      );
      const inspector = await findInspector(victim, home);
      // Another home: this client knows nothing of the first one's run files.
      const leak = startExpose(
        [
          ...[`${inspector.port}`, "-s", "leak", ...connection("bob")],
          "--host-header",
          hostHeader.replace("INSPECTOR", `127.0.0.1:${inspector.port}`),
        ],
        useCliHome().env,
      );
      await leak.waitFor(/through/);
      const hosts = [
        undefined,
        `127.0.0.1:${inspector.port}`,
        `localhost:${inspector.port}`,
      ];
      for (const path of ["/", "/api/tunnels", "/api/v1/status", "/index.html"])
        for (const host of hosts) {
          const got = await visit(world.urlOf("leak"), path, {
            headers: {
              authorization: `Bearer ${inspector.token}`,
              connection:
                "close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Forwarded, Via",
              ...(host === undefined ? {} : { host }),
            },
          });
          expect(got.status).toBeGreaterThanOrEqual(400);
          expect(got.headers["set-cookie"]).toBeUndefined();
          expect(got.text).not.toContain("victim");
        }
      const direct = await visit(world.urlOf("leak"), "/api/tunnels");
      expect(direct.status).toBe(403);
      expect(JSON.parse(direct.text)).toMatchObject({
        error: { code: "forwarded" },
      });
    },
  );

  it("is not reached by a tunnel that was there before it", async () => {
    const port = await freePort();
    const { home, env } = useCliHome();
    const early = startExpose(
      [`${port}`, "-s", "early", "--no-inspect", ...connection("bob")],
      env,
    );
    await early.waitFor(/through/);
    const late = startExpose(
      ["8080", "--inspect-port", `${port}`, ...connection()],
      env,
    );
    expect((await findInspector(late, home)).port).toBe(port);
    // A client looks for inspectors a few times a second. Until it has found this one, the inspector refuses by itself.
    for (let status = 403; status !== 502;) {
      const got = await visit(world.urlOf("early"), "/api/tunnels");
      expect(got.text).not.toContain("public_url");
      expect([403, 502]).toContain(got.status);
      status = got.status;
    }
    await early.waitFor(/is not open to visitors/);
  });

  it("answers scripts only with a token of their own, when one is set", async () => {
    const { home, env } = useCliHome();
    const TOKEN = "0123456789abcdef-of-my-own";
    const expose = startExpose(["8080", ...connection()], {
      ...env,
      EXPOSE_API_TOKEN: TOKEN,
    });
    const inspector = await findInspector(expose, home);
    for (const path of ["/api/tunnels", "/api/v1/status"]) {
      const without = await fetch(`${inspector.url}${path}`);
      expect(without.status).toBe(401);
      const withIt = await fetch(`${inspector.url}${path}`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      expect(withIt.status).toBe(200);
    }
    // The page and the command line have the token of the run as before.
    expect((await inspector.fetch("/api/v1/status")).status).toBe(200);
    expect((await runExpose(["logs"], env)).code).toBe(0);
  });
});

it("an inspector answers no visitor of plain ssh -R", async () => {
  const world = await startWorld("embedded");
  onTestFinished(() => world.stop());
  const { home, env } = useCliHome();
  const victim = startExpose(
    [
      ...["8080", "-s", "victim", "--server", world.server],
      ...["--identity", world.identity("alice"), "--accept-new-host-key"],
    ],
    env,
  );
  const { port, token } = await findInspector(victim, home);
  const ssh = startSsh({
    port: Number(world.server.split(":")[1]),
    key: { ...useSshKey(), privateKeyFile: world.identity("bob") },
    args: ["-R", `leak:80:127.0.0.1:${port}`],
  });
  await ssh.waitFor(new RegExp(world.urlOf("leak")));
  for (const path of ["/", "/api/tunnels", "/api/v1/status"]) {
    const got = await visit(world.urlOf("leak"), path, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(got.status).toBe(403);
    expect(JSON.parse(got.text)).toMatchObject({
      error: { code: "forwarded" },
    });
  }
});

it("an inspector answers no visitor of --bare, where nothing comes between", async () => {
  const sshd = await startPlainSshd(["GatewayPorts clientspecified"]);
  const world = await startWorld("embedded");
  onTestFinished(() => world.stop());
  const [port, remotePort] = [await freePort(), await freePort()];
  const bare = startExpose(
    [
      ...[`${port}`, "--bare", "--server", sshd.server],
      ...["--remote-port", `${remotePort}`],
    ],
    sshd.env,
  );
  await bare.waitFor(/through/);
  const client = startExpose(
    [
      ...["8080", "--inspect-port", `${port}`, "--server", world.server],
      ...["--identity", world.identity("alice"), "--accept-new-host-key"],
    ],
    sshd.env,
  );
  await findInspector(client, sshd.home);
  // Nothing of the request gives away that it has come from elsewhere.
  const answer = fetch(`http://127.0.0.2:${remotePort}/api/tunnels`, {
    headers: { host: `127.0.0.1:${port}` },
  }).then((response) => response.text());
  await expect(answer).rejects.toThrow("fetch failed");
  const refused = await runExpose(
    [`${port}`, "--bare", "--server", sshd.server],
    sshd.env,
  );
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("is the inspector of a running expose");
});
