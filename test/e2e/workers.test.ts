// An edge with two worker processes: whichever of them a visitor, a session or a signal reaches, it is one edge.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { ExposeError, RequestInfo, Tunnel } from "@expose/client";
import { startSsh, useSshKey } from "../harness/openssh-client.ts";
import { descendants } from "../harness/process-table.ts";
import {
  startProgram,
  stop,
  type RunningProgram,
} from "../harness/processes.ts";
import { echo, hello, startUpstream } from "../harness/upstreams.ts";
import { visit } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";

const EDGE_MAIN = fileURLToPath(
  new URL("../../packages/edge/dist/main.js", import.meta.url),
);

/** More connections than one worker takes of a burst: with two, the kernel gives each of them some. */
const CONNECTIONS = 48;

describeIngress("an edge with two workers", (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress, {
      workers: 2,
      config: "limits: { connections-per-visitor: 100 }",
    });
  });
  afterAll(async () => {
    await world.stop();
  });

  async function open(
    port: number,
    name?: string,
    id = "alice",
  ): Promise<Tunnel> {
    const tunnel = await world.expose({ port, name }, id);
    onTestFinished(() => tunnel.close());
    return tunnel;
  }

  // The edge's children are its workers and nothing else.
  const workerPids = (): number[] =>
    descendants(world.edge.child.pid!).map(({ pid }) => pid);

  /** Values of one metric, by what stands between its braces. */
  async function metric(name: string): Promise<Record<string, number>> {
    const values: Record<string, number> = {};
    for (const line of (await world.metrics()).split("\n")) {
      const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match?.[1] === name) values[match[2] ?? ""] = Number(match[3]);
    }
    return values;
  }

  /** The process that holds each tunnel's session: a worker, or 0 for the primary. */
  const holders = (tunnels: readonly Tunnel[]): Promise<number[]> =>
    Promise.all(
      tunnels.map(async ({ name }) => {
        const [, worker] = await world.edge.waitFor(
          new RegExp(`tunnel opened (?:worker=(\\d+) )?tunnel=${name} `),
        );
        if (worker === undefined) return 0;
        const [, pid] = await world.edge.waitFor(
          new RegExp(`worker serves worker=${worker} pid=(\\d+)`),
        );
        return Number(pid);
      }),
    );

  /** Requests at once, each on a connection of its own; `keep` keeps those open until the test has finished. */
  async function burst(
    tunnel: Tunnel,
    path: (i: number) => string,
    {
      count = CONNECTIONS,
      body,
      keep = false,
    }: { count?: number; body?: Buffer; keep?: boolean } = {},
  ): Promise<{ status: number; body: Buffer }[]> {
    const { host, port } = new URL(tunnel.url);
    const agent = new Agent({ keepAlive: keep, maxSockets: count });
    onTestFinished(() => agent.destroy());
    return Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const request = httpRequest({
          ...{ host: "127.0.0.1", port, agent, path: path(i) },
          method: body ? "POST" : "GET",
          headers: { host },
        });
        request.end(body);
        const [response] = (await once(request, "response")) as [
          IncomingMessage,
        ];
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        return { status: response.statusCode!, body: Buffer.concat(chunks) };
      }),
    );
  }

  it("runs two processes, and both take visitors of every tunnel", async () => {
    expect(workerPids()).toHaveLength(2);
    const upstream = await startUpstream(hello);
    const tunnels = [
      await open(upstream.port, "one"),
      await open(upstream.port, "two", "bob"),
    ];
    for (const tunnel of tunnels)
      for (const { status, body } of await burst(tunnel, (i) => `/${i}`, {
        keep: true,
      })) {
        expect(status).toBe(200);
        expect(body.toString()).toMatch(/^hello \/\d+$/);
      }
    // The agents' idle connections are still open.
    const connections = await metric("expose_worker_connections");
    expect(Object.keys(connections)).toHaveLength(2);
    for (const count of Object.values(connections))
      expect(count).toBeGreaterThan(0);
    expect(await metric("expose_visitor_connections")).toEqual({
      "": Object.values(connections).reduce((sum, count) => sum + count),
    });
  });

  it("gives a name to one identity of many that ask for it at the same moment, wherever their sessions are", async () => {
    const upstream = await startUpstream(hello);
    for (let round = 0; round < 5; round++) {
      const results = await Promise.allSettled(
        Array.from({ length: 6 }, (_, i) =>
          open(upstream.port, `race-${round}`, i % 2 === 0 ? "alice" : "bob"),
        ),
      );
      const owners = new Set(
        results.flatMap(({ status }, i) =>
          status === "fulfilled" ? [i % 2] : [],
        ),
      );
      expect(owners.size).toBe(1);
      for (const result of results)
        if (result.status === "rejected") {
          const { code, edgeCode } = result.reason as ExposeError;
          expect(`${code} ${edgeCode}`).toMatch(
            /^(name-refused name-taken|superseded undefined|tunnel-refused superseded)$/,
          );
        }
    }
  });

  it("passes bodies on as they are, both ways, on connections of both workers", async () => {
    const upstream = await startUpstream(echo);
    const tunnel = await open(upstream.port);
    const body = randomBytes(2_000_000);
    const digest = (bytes: Buffer): string =>
      createHash("sha256").update(bytes).digest("hex");
    const expected = digest(body);
    for (const answer of await burst(tunnel, () => "/", { count: 24, body }))
      expect(digest(answer.body)).toBe(expected);
  });

  it("carries WebSockets, and passes each side's end on", async () => {
    const upstream = await startUpstream(hello);
    const sockets = new WebSocketServer({ server: upstream.server });
    onTestFinished(() => void sockets.close());
    sockets.on("connection", (socket) =>
      socket.on("message", (data: Buffer) => socket.send(data)),
    );
    const tunnel = await open(upstream.port);
    const { host, port } = new URL(tunnel.url);
    await Promise.all(
      Array.from({ length: 16 }, async (_, i) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
          headers: { host },
        });
        await once(socket, "open");
        socket.send(`message ${i}`);
        const [data] = (await once(socket, "message")) as [Buffer];
        expect(data.toString()).toBe(`message ${i}`);
        socket.close(4_000 + i);
        const [code] = (await once(socket, "close")) as [number];
        expect(code).toBe(4_000 + i);
      }),
    );
    while (sockets.clients.size > 0)
      await once([...sockets.clients][0]!, "close");
  });

  it("passes on that a visitor has given up, and does not take half an answer for a whole one", async () => {
    let ended!: () => void;
    const upstream = await startUpstream((request, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("first");
      if (request.url === "/cut")
        response.write("half", () => response.socket!.destroy());
      else response.on("close", () => ended());
    });
    const tunnel = await open(upstream.port);
    const { host, port } = new URL(tunnel.url);
    for (let i = 0; i < 12; i++) {
      const gone = new Promise<void>((resolve) => (ended = resolve));
      const request = httpRequest({
        ...{ host: "127.0.0.1", port, agent: false, headers: { host } },
      });
      request.on("error", () => {});
      request.end();
      const [response] = (await once(request, "response")) as [IncomingMessage];
      response.on("error", () => {});
      await once(response, "data");
      request.destroy();
      await gone;
      await expect(visit(tunnel.url, "/cut")).rejects.toThrow(
        /aborted|hang up|ECONNRESET/,
      );
    }
  });

  it("moves a name to its owner's newest session for visitors of both workers, and tells the older one", async () => {
    const first = await startUpstream((_, response) => response.end("first"));
    const second = await startUpstream((_, response) => response.end("second"));
    for (let round = 0; round < 3; round++) {
      const older = await open(first.port, "moved");
      const closed = once(older, "closed");
      await burst(older, () => "/");
      const seen = first.seen.length;
      const newer = await open(second.port, "moved");
      const [{ error }] = (await closed) as [{ error: ExposeError }];
      expect(error.code).toBe("superseded");
      for (const { body } of await burst(newer, () => "/"))
        expect(body.toString()).toBe("second");
      expect(first.seen).toHaveLength(seen);
      await newer.close();
      for (const { status } of await burst(newer, () => "/"))
        expect(status).toBe(404);
    }
  });

  it("tells the client of each request, and logs and counts each once, whichever worker served it", async () => {
    const upstream = await startUpstream(hello);
    const tunnel = await world.expose({
      ...{ port: upstream.port, watchRequests: true },
    });
    onTestFinished(() => tunnel.close());
    const told: string[] = [];
    tunnel.on("request", (info: RequestInfo) => told.push(info.path));
    const before = await metric("expose_requests_total");
    const id = randomBytes(4).toString("hex");
    const wanted = Array.from(
      { length: CONNECTIONS },
      (_, i) => `/${id}/${i}?token=secret`,
    );
    await burst(tunnel, (i) => wanted[i]!);
    while (told.length < CONNECTIONS) await once(tunnel, "request");
    const paths = wanted.map((path) => path.split("?")[0]!).sort();
    expect(told.map((path) => path.split("?")[0]!).sort()).toEqual(paths);
    expect(told.join()).not.toContain("secret");
    const after = await metric("expose_requests_total");
    expect(after['status="2xx"']! - before['status="2xx"']!).toBe(CONNECTIONS);

    const logged = (): string[] =>
      world
        .accessLog()
        .map((record) => String(record["url"]).replace(/^[^/]*/, ""))
        .filter((path) => path.startsWith(`/${id}/`))
        .map((path) => path.split("?")[0]!);
    // Records leave in batches, at most 20 ms late.
    while (logged().length < CONNECTIONS)
      await new Promise((resolve) => setImmediate(resolve));
    expect(logged().sort()).toEqual(paths);
  });

  it("counts a visitor's connections to both workers together", async () => {
    const upstream = await startUpstream(hello);
    const tunnel = await open(upstream.port);
    // More than one visitor may have, and less than that for each worker.
    const answers = await burst(tunnel, () => "/", { count: 130, keep: true });
    let refused = answers.some(({ status }) => status === 429);
    // That they hear of each other's takes a moment.
    while (!refused) {
      const { status } = await visit(tunnel.url);
      refused = status === 429;
      expect([200, 429]).toContain(status);
    }
  });

  it("ends sessions whose key was removed, in both workers", async () => {
    const upstream = await startUpstream(hello);
    await world.addIdentity("carol");
    const tunnels = [];
    for (let i = 0; i < 4; i++)
      tunnels.push(await open(upstream.port, `carol-${i}`, "carol"));
    const closed = Promise.all(tunnels.map((tunnel) => once(tunnel, "closed")));
    world.removeIdentity("carol");
    await closed;
    for (const tunnel of tunnels)
      for (const { status } of await burst(tunnel, () => "/", { count: 12 }))
        expect(status).toBe(404);
  });

  it("starts another worker in place of one that was killed; its sessions come back by themselves, others notice nothing", async () => {
    const upstream = await startUpstream(hello);
    const openEight = () =>
      Promise.all(Array.from({ length: 8 }, () => open(upstream.port)));
    let tunnels = await openEight();
    // The kernel may have given all of them to one worker.
    while (ingress === "embedded" && new Set(await holders(tunnels)).size < 2) {
      await Promise.all(tunnels.map((tunnel) => tunnel.close()));
      tunnels = await openEight();
    }
    const lost = new Set<Tunnel>();
    const back = new Set<Tunnel>();
    for (const tunnel of tunnels) {
      tunnel.on("reconnecting", () => lost.add(tunnel));
      tunnel.on("reconnected", () => back.add(tunnel));
    }
    const before = await metric("expose_requests_total");
    const pids = workerPids();
    const held = await holders(tunnels);
    // The primary's sessions, which are all of sshd's, are nobody's loss.
    const losers = tunnels.filter((_, i) => held[i] === pids[0]);
    process.kill(pids[0]!, "SIGKILL");
    for (;;) {
      const { "": ready } = await metric("expose_workers");
      const { "": restarts } = await metric("expose_worker_restarts_total");
      if (ready === 2 && restarts === 1 && back.size === losers.length) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(lost).toEqual(new Set(losers));
    expect(losers.length > 0).toBe(ingress === "embedded");
    expect(await metric("expose_worker_restarts_total")).toEqual({ "": 1 });
    const now = workerPids();
    expect(now).toHaveLength(2);
    expect(now).toContain(pids[1]);
    expect(now).not.toContain(pids[0]);
    for (const tunnel of tunnels)
      for (const { status } of await burst(tunnel, () => "/", { count: 12 }))
        expect(status).toBe(200);
    const after = await metric("expose_requests_total");
    expect(after['status="2xx"']! - before['status="2xx"']!).toBe(8 * 12);
  });
});

it("opens tunnels of plain ssh with several workers, in the order in which it asks, and shows its requests", async () => {
  const world = await startWorld("embedded", { workers: 2 });
  onTestFinished(() => world.stop());
  const upstream = await startUpstream(hello);
  const names = ["plain-a", "plain-b", "plain-c"];
  const ssh = startSsh({
    port: Number(world.server.split(":")[1]),
    key: { ...useSshKey(), privateKeyFile: world.identity("alice") },
    args: names.flatMap((name) => [
      "-R",
      `${name}:80:127.0.0.1:${upstream.port}`,
    ]),
  });
  for (const name of names) await ssh.waitFor(new RegExp(world.urlOf(name)));
  for (const name of names)
    for (let i = 0; i < 12; i++)
      expect((await visit(world.urlOf(name), `/${name}/${i}`)).text).toBe(
        `hello /${name}/${i}`,
      );
  for (const name of names)
    for (let i = 0; i < 12; i++)
      await ssh.waitFor(new RegExp(`/${name}/${i}\\b`));
});

it("writes whole lines to stdout, each request once, when that is where the log goes", async () => {
  const edge = await startBare(["--access-log-file", "-"]);
  await askMany(edge.port, "/out");
  const lines = (): string[] => edge.program.stdout.split("\n").slice(0, -1);
  while (lines().length < 200) await nextTurn();
  expect(
    lines()
      .map((line) => (JSON.parse(line) as { url: string }).url)
      .sort(),
  ).toEqual(urls("/out"));
});

it("serves and ends while nobody reads the log on stdout", async () => {
  const edge = await startBare([
    ...["--access-log-file", "-", "--timeouts-shutdown", "1s"],
  ]);
  const { stdout } = edge.program.child;
  stdout!.pause();
  // Ten times what a pipe holds.
  await askMany(edge.port, `/${"x".repeat(2_000)}`);
  await askMany(edge.port, `/${"x".repeat(2_000)}`);
  edge.program.kill("SIGTERM");
  const [code] = (await once(edge.program.child, "exit")) as [number | null];
  stdout!.resume();
  expect(code).toBe(0);
  await edge.program.waitFor(/ stopped\n/);
});

it("opens the log's file again in every worker at SIGHUP", async () => {
  const folder = mkdtempSync(join(tmpdir(), "expose-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "access.log");
  const edge = await startBare(["--access-log-file", file]);
  await askMany(edge.port, "/before");
  const read = (name: string): string[] =>
    existsSync(name) ? readFileSync(name, "utf8").split("\n").slice(0, -1) : [];
  while (read(file).length < 200) await nextTurn();
  renameSync(file, `${file}.1`);
  edge.program.kill("SIGHUP");
  // Each worker opens it, and appends.
  while (!existsSync(file)) await nextTurn();
  let rounds = 0;
  while (read(`${file}.1`).length + read(file).length < 400) {
    if (rounds++ === 0) await askMany(edge.port, "/after");
    await nextTurn();
  }
  const all = [...read(`${file}.1`), ...read(file)];
  expect(
    all.map((line) => (JSON.parse(line) as { url: string }).url).sort(),
  ).toEqual([...urls("/after"), ...urls("/before")].sort());
  const later = read(file).length;
  await askMany(edge.port, "/later");
  // Nobody writes to the old file any more.
  while (read(file).length < later + 200) await nextTurn();
});

/** An edge with two workers and without tunnels: it answers 404, and logs that. */
async function startBare(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ program: RunningProgram; port: number }> {
  const folder = mkdtempSync(join(tmpdir(), "expose-bare-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = startProgram(
    process.execPath,
    [
      ...[EDGE_MAIN, "serve", "--config", "none", "--workers", "2"],
      ...["--state-dir", folder, "--listen", "127.0.0.1:0"],
      ...["--ingress-embedded-listen", "127.0.0.1:0"],
      ...["--admin-listen", "127.0.0.1:0", ...args],
    ],
    { env: { ...process.env, ...env } },
  );
  onTestFinished(() => stop(program));
  const [, port] = await program.waitFor(/ready http=127\.0\.0\.1:(\d+)/);
  return { program, port: Number(port) };
}

const askMany = (port: number, path: string): Promise<unknown> =>
  Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      visit(`http://nobody.localhost:${port}`, `${path}/${i}`),
    ),
  );

// As the log sorts nothing, and no port stands in it.
const urls = (path: string): string[] =>
  Array.from({ length: 200 }, (_, i) => `nobody.localhost${path}/${i}`).sort();

const nextTurn = (): Promise<void> =>
  new Promise((resolve) => setImmediate(resolve));

it("goes on when workers say what nobody understands, or what cannot be done", async () => {
  const folder = mkdtempSync(join(tmpdir(), "expose-odd-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const odd = join(folder, "odd.mjs");
  const messages = ["{}", '{ m: { t: "visitors", counts: 7 } }'];
  writeFileSync(
    odd,
    `if (process.send) for (const m of [7, ${messages.join()}, { m: { t: "nonsense" } }]) process.send(m);`,
  );
  const edge = await startBare([], { NODE_OPTIONS: `--import=${odd}` });
  await askMany(edge.port, "/odd");
  for (const worker of [1, 2])
    await edge.program.waitFor(
      new RegExp(`bug worker=${worker} .*Unexpected: nonsense`),
    );
  expect(edge.program.stderr.match(/ bug worker=/g)).toHaveLength(8);
});

it("ends with the error of the worker that cannot listen", async () => {
  const taken = createServer();
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const folder = mkdtempSync(join(tmpdir(), "expose-taken-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const edge = startProgram(process.execPath, [
    ...[EDGE_MAIN, "serve", "--config", "none", "--workers", "2"],
    ...["--state-dir", folder, "--listen", `127.0.0.1:${port}`],
    ...["--ingress-embedded-listen", "127.0.0.1:0"],
    ...["--admin-listen", "127.0.0.1:0"],
  ]);
  onTestFinished(() => stop(edge));
  // That of listen-failed.
  expect((await edge.exited).code).toBe(4);
  expect(edge.stderr).toContain(`127.0.0.1:${port}`);
  expect(edge.stderr).toContain("[listen-failed]");
});

it("leaves no process, socket or folder behind when the primary is killed", async () => {
  const world = await startWorld("embedded", { workers: 2 });
  onTestFinished(() => world.stop());
  const folders = (): string[] =>
    readdirSync(world.folder).filter((name) => name.startsWith("expose-edge-"));
  const pids = descendants(world.edge.child.pid!).map(({ pid }) => pid);
  expect(pids).toHaveLength(2);
  expect(folders()).not.toEqual([]);
  world.edge.kill("SIGKILL");
  await world.edge.exited;
  const alive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  while (pids.some(alive))
    await new Promise((resolve) => setImmediate(resolve));
  expect(folders()).toEqual([]);
});
