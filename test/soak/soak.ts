// Everything that visitors do, for a long time: requests, uploads, aborts from both sides, event streams, WebSockets and
// connections that are lost. What edge and client hold must not grow, and in the end all is as it was.
import { once } from "node:events";
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket, WebSocketServer } from "ws";
import { stop } from "../harness/processes.ts";
import { startRelay } from "../harness/relay.ts";
import type { World } from "../harness/worlds.ts";
import { startClient } from "./clients.ts";
import type { Probe, ProbeFigures } from "./probe.ts";
import { createChoices } from "./random.ts";

/** What to run. */
export interface SoakOptions {
  readonly seed: number;
  readonly requests: number;
  /** After so many requests edge and client are measured. */
  readonly stepRequests: number;
  /** After so many steps the client's connection is lost. More often, and the client would wait longer each time. */
  readonly stepsPerLoss: number;
  readonly onStep?: (done: number, figures: Held) => void;
}

/** What the two processes hold. */
export interface Held {
  readonly edge: ProbeFigures;
  readonly client: ProbeFigures;
}

/** What came of it. */
export interface SoakResult {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly reconnects: number;
  readonly seconds: number;
  /** After a warm-up of one step, all idle. */
  readonly before: Held;
  /** When all is over, idle again. */
  readonly after: Held;
  /** Growth per 100,000 requests in bytes: of resident memory, and of the heap. */
  readonly slopes: {
    readonly edgeRss: number;
    readonly edgeHeap: number;
    readonly clientRss: number;
    readonly clientHeap: number;
  };
  readonly problems: readonly string[];
}

const AT_ONCE = 48;
const IDLE_PATIENCE_MS = 30_000;

/** Runs it in a world that was started with the probe. */
export async function runSoak(
  world: World,
  probe: Probe,
  options: SoakOptions,
): Promise<SoakResult> {
  const { seed, requests, stepRequests } = options;
  const origin = await startOrigin();
  const [user, address] = world.server.split("@") as [string, string];
  const relay = await startRelay({
    host: "127.0.0.1",
    port: Number(address.split(":")[1]),
  });
  const client = await startClient(
    [
      {
        session: {
          ...world.session(),
          server: `${user}@127.0.0.1:${relay.port}`,
        },
        tunnels: [{ name: "soak", port: origin.port }],
      },
    ],
    probe.env,
  );
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const outcomes: Record<string, number> = {};
  const problems: string[] = [];
  const startedAt = performance.now();
  let reconnects = 0;

  const held = async (): Promise<Held> => ({
    edge: await probe.ask(world.edge.child.pid!),
    client: await probe.ask(client.child.pid!),
  });
  const step = async (from: number): Promise<void> => {
    let next = from;
    const end = Math.min(requests + stepRequests, from + stepRequests);
    const worker = async (): Promise<void> => {
      while (next < end) {
        const outcome = await act(world, agent, seed, next++);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  };
  const idle = async (): Promise<Held> => {
    agent.destroy();
    const deadline = performance.now() + IDLE_PATIENCE_MS;
    for (;;) {
      // Connections to the upstream are kept for some seconds.
      const [visitors, upstreams] = [
        Number(
          /^expose_visitor_connections (\d+)$/m.exec(await world.metrics())![1],
        ),
        await origin.connections(),
      ];
      if (visitors === 0 && upstreams === 0) return held();
      if (performance.now() > deadline) {
        problems.push(
          `${visitors} visitors and ${upstreams} upstream connections stay`,
        );
        return held();
      }
      await sleep(200);
    }
  };

  try {
    // The first step warms up, the connection's first loss included.
    await step(0);
    relay.reset();
    await backAgain(world);
    const before = await idle();
    const samples: { at: number; held: Held }[] = [];
    for (let done = stepRequests; done < requests + stepRequests;) {
      await step(done);
      done += stepRequests;
      const figures = await held();
      samples.push({ at: done, held: figures });
      options.onStep?.(done - stepRequests, figures);
      if (samples.length % options.stepsPerLoss !== 0) continue;
      reconnects++;
      relay.reset();
      await backAgain(world);
    }
    const after = await idle();
    compare("edge", before.edge, after.edge, problems);
    compare("client", before.client, after.client, problems);
    const slope = (read: (held: Held) => number): number =>
      Math.round(
        100_000 *
          slopeOf(samples.map(({ at, held: figures }) => [at, read(figures)])),
      );
    return {
      outcomes,
      reconnects,
      seconds: (performance.now() - startedAt) / 1_000,
      before,
      after,
      slopes: {
        edgeRss: slope(({ edge }) => edge.rss),
        edgeHeap: slope(({ edge }) => edge.heapUsed + edge.external),
        clientRss: slope(({ client: one }) => one.rss),
        clientHeap: slope(({ client: one }) => one.heapUsed + one.external),
      },
      problems,
    };
  } finally {
    agent.destroy();
    await stop(client);
    await relay.close();
    await origin.close();
  }
}

function compare(
  who: string,
  before: ProbeFigures,
  after: ProbeFigures,
  problems: string[],
): void {
  if (after.descriptors > before.descriptors)
    problems.push(
      `${who}: ${before.descriptors} descriptors before, ${after.descriptors} after`,
    );
  for (const [type, count] of Object.entries(after.resources))
    if (count > (before.resources[type] ?? 0))
      problems.push(
        `${who}: ${before.resources[type] ?? 0} ${type} before, ${count} after`,
      );
}

// Least squares.
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [
    mean(points.map(([x]) => x)),
    mean(points.map(([, y]) => y)),
  ];
  let above = 0;
  let below = 0;
  for (const [x, y] of points) {
    above += (x - mx) * (y - my);
    below += (x - mx) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

async function backAgain(world: World): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const outcome = await ask(world, undefined, "GET", "/?bytes=1", {});
    if (outcome === "200") return;
    await sleep(50);
  }
  throw new Error("The tunnel does not come back.");
}

async function act(
  world: World,
  agent: Agent,
  seed: number,
  index: number,
): Promise<string> {
  const choices = createChoices(seed, index, 6);
  const bytes = choices.logUniform(100_000);
  const kind = choices.below(100);
  if (kind < 3) return webSocket(world, choices.below(8), choices.oneIn(2));
  if (kind < 5)
    return ask(world, agent, "GET", "/events", { abort: "reading" });
  if (kind < 10)
    return ask(world, agent, "GET", `/?bytes=${bytes}`, {
      abort: choices.pick(["asking", "reading"] as const),
    });
  if (kind < 13)
    return ask(world, agent, "GET", `/?bytes=${bytes}&abort=1`, {});
  if (kind < 15)
    return ask(world, agent, "POST", "/", { body: bytes, abort: "asking" });
  if (kind < 30) return ask(world, agent, "POST", "/", { body: bytes });
  // Every other one on a connection of its own.
  return ask(
    world,
    kind < 40 ? undefined : agent,
    "GET",
    `/?bytes=${bytes}`,
    {},
  );
}

interface AskOptions {
  readonly body?: number;
  readonly abort?: "asking" | "reading";
}

async function ask(
  world: World,
  agent: Agent | undefined,
  method: string,
  path: string,
  { body, abort }: AskOptions,
): Promise<string> {
  const request = httpRequest({
    agent: agent ?? false,
    host: "127.0.0.1",
    port: world.httpPort,
    method,
    path,
    headers: {
      host: new URL(world.urlOf("soak")).host,
      ...(body !== undefined && { "content-length": body }),
    },
  });
  if (abort === "asking") {
    request.write(body === undefined ? "" : Buffer.alloc(body >> 1));
    request.once("socket", () => setImmediate(() => request.destroy()));
  } else request.end(body === undefined ? undefined : Buffer.alloc(body));
  try {
    const [response] = (await once(request, "response")) as [IncomingMessage];
    for await (const chunk of response) {
      void chunk;
      if (abort === "reading") break;
    }
    return abort ? "aborted" : String(response.statusCode);
  } catch {
    return abort ? "aborted" : "cut";
  }
}

async function webSocket(
  world: World,
  messages: number,
  polite: boolean,
): Promise<string> {
  const { host } = new URL(world.urlOf("soak"));
  const socket = new WebSocket(`ws://127.0.0.1:${world.httpPort}/`, {
    headers: { host },
  });
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => resolve()),
  );
  socket.on("error", () => {});
  let left = messages;
  const send = (): void => {
    if (left-- > 0) socket.send("x".repeat(100));
    else if (polite) socket.close();
    else socket.terminate();
  };
  socket.on("open", send);
  socket.on("message", send);
  await closed;
  return left < 0 ? "websocket" : "websocket cut";
}

interface Origin {
  readonly port: number;
  connections(): Promise<number>;
  close(): Promise<void>;
}

async function startOrigin(): Promise<Origin> {
  const server = createServer((request, response) => {
    const url = new URL(request.url!, "http://origin");
    if (url.pathname === "/events") {
      response.setHeader("content-type", "text/event-stream");
      response.write("data: x\n\n");
      const timer = setInterval(() => response.write("data: x\n\n"), 20);
      response.on("close", () => clearInterval(timer));
      return;
    }
    const body = Buffer.alloc(Number(url.searchParams.get("bytes") ?? 0), "x");
    request.resume();
    request.on("error", () => {});
    request.on("end", () => {
      if (!url.searchParams.has("abort")) return void response.end(body);
      response.setHeader("content-length", body.length);
      response.write(body.subarray(0, body.length >> 1));
      request.socket.destroy();
    });
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data) => socket.send(data));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) =>
          error ? reject(error) : resolve(count),
        ),
      ),
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
