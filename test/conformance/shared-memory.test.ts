// Memory that is used again on the way of the bytes: visitors of two tenants at once, fast, slow, late and aborting, with
// new keys all the time and an inspector that looks on. Every byte is known at every end, by whom it is for and where in
// the body it stands, so that one which belongs elsewhere shows.
import { createCipheriv, createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import {
  Agent,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline as sendAll } from "node:stream/promises";
import { setTimeout as after } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Exchange, ExchangePage } from "@expose/protocol";
import { startUpstream } from "../harness/upstreams.ts";
import { dialEdge } from "../harness/visit.ts";
import { describeIngress, startWorld, type World } from "../harness/worlds.ts";
import { createChoices, type Choices } from "../soak/random.ts";

const SEED = Number(process.env["SEED"]) || Math.floor(Math.random() * 1e9);
const TENANTS = ["alice", "bob"] as const;
const VISITORS = 10;
const VISITS = 12;
const MAX_BYTES = 3_000_000;
const SOCKETS = 2;
const FRAMES = 25;
const MAX_FRAME_BYTES = 300_000;

describeIngress(`memory that is used again (seed ${SEED})`, (ingress) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(ingress);
  });
  afterAll(() => world.stop());

  it("brings every byte to whom it is for, and shows them as they were", async () => {
    const problems: string[] = [];
    const rekey = useKeyChanges();
    const visits: Promise<void>[] = [];
    const inspectors: Inspector[] = [];
    for (const [n, tenant] of TENANTS.entries()) {
      const upstream = await startUpstream(answers(tenant, problems));
      echoFrames(upstream.server);
      const stateFolder = join(world.folder, `state-${tenant}`);
      const session = await world.openSession(
        { inspect: { port: 0, stateFolder } },
        tenant,
      );
      onTestFinished(() => session.close());
      const inspecting = once(session, "inspecting");
      const { url } = await session.open({ port: upstream.port, name: tenant });
      await inspecting;
      inspectors.push(inspectorOf(stateFolder, tenant, problems));
      for (let i = 0; i < VISITORS; i++)
        visits.push(
          visitAgain(url, tenant, createChoices(SEED, n, i), `${i}`, problems),
        );
      for (let i = 0; i < SOCKETS; i++)
        visits.push(
          speak(url, createChoices(SEED, n, 100 + i), `${tenant}-${i}`),
        );
    }
    let over = false;
    // Not in step with those who look, whom a busy machine keeps waiting.
    const changeKeys = (async (): Promise<void> => {
      while (!over) {
        rekey();
        await after(20);
      }
    })();
    const watch = (async (): Promise<void> => {
      for (let turn = 0; !over; turn++) {
        for (const inspector of inspectors) await inspector.look(30);
        // What was kept is given back, to be used for what comes.
        if (turn % 20 === 19) await inspectors[((turn - 19) / 20) % 2]!.clear();
        await after(20);
      }
    })();
    try {
      await Promise.all(visits);
    } finally {
      over = true;
      await Promise.all([watch, changeKeys]);
    }
    for (const inspector of inspectors) await inspector.look(500);
    expect(problems).toEqual([]);
    // Or nothing would have been shown.
    expect(rekey()).toBeGreaterThan(10);
    for (const { compared } of inspectors)
      expect(compared()).toBeGreaterThan(5);
  }, 60_000);
});

/** The bytes of a body: nobody else's, and nowhere the same. */
function bytesOf(token: string, length: number): Buffer {
  const key = createHash("sha256").update(token).digest();
  const cipher = createCipheriv(
    "aes-128-ctr",
    key.subarray(16),
    key.subarray(0, 16),
  );
  return cipher.update(Buffer.alloc(length));
}

/** @returns what is wrong with a body, whole or (of an abort) its beginning */
function compare(got: Buffer, token: string, length: number): string[] {
  const wanted = bytesOf(token, length);
  if (got.equals(wanted)) return [];
  const at = got.findIndex((byte, i) => byte !== wanted[i]);
  return [
    `${token}: ${got.length} bytes of ${length}, other ones from ${at} on`,
  ];
}

// --- the tenants' services

const upToken = (tenant: string, target: string): string =>
  `${tenant} up ${target}`;
const downToken = (tenant: string, target: string): string =>
  `${tenant} down ${target}`;

interface Wish {
  readonly up: number;
  readonly down: number;
  readonly chunked: boolean;
  readonly slowly: boolean;
}

const wishOf = (target: string): Wish => {
  const { searchParams: wish } = new URL(target, "http://any");
  return {
    up: Number(wish.get("up")),
    down: Number(wish.get("down")),
    chunked: wish.has("chunked"),
    slowly: wish.has("slowly"),
  };
};

function answers(tenant: string, problems: string[]): RequestListener {
  const serve = async (
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const target = request.url!;
    const { up, down, chunked, slowly } = wishOf(target);
    if (slowly) await after(200);
    const body = await readAll(request, slowly ? 1 : 0);
    problems.push(
      ...compare(
        body,
        upToken(tenant, target),
        request.complete ? up : body.length,
      ),
    );
    if (!chunked) response.setHeader("Content-Length", down);
    await writePieces(
      response,
      bytesOf(downToken(tenant, target), down),
      createChoices(down, up),
    );
  };
  return (request, response) => {
    // Of visitors who give up.
    response.on("error", () => {});
    serve(request, response).catch(() => response.destroy());
  };
}

function echoFrames(server: Server): void {
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data) => socket.send(data));
  });
}

// --- visitors

async function visitAgain(
  url: string,
  tenant: string,
  choices: Choices,
  name: string,
  problems: string[],
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  for (let i = 0; i < VISITS; i++) {
    const target = (up: number, more = ""): string =>
      `/${name}-${i}${more}?up=${up}&down=${sizeOf(choices)}${choices.pick(["", "&chunked"])}${choices.pick(["", "&slowly"])}`;
    if (choices.oneIn(6))
      await pipeline(
        url,
        tenant,
        [1, 2, 3].map((n) => target(0, `-${n}`)),
        problems,
      );
    else
      await visitOnce(
        { url, tenant, agent: choices.oneIn(3) ? undefined : agent },
        target(choices.oneIn(2) ? 0 : sizeOf(choices)),
        choices,
        problems,
      );
  }
}

async function visitOnce(
  from: { url: string; tenant: string; agent: Agent | undefined },
  target: string,
  choices: Choices,
  problems: string[],
): Promise<void> {
  const { tenant, agent } = from;
  const { host, port } = new URL(from.url);
  const { up, down } = wishOf(target);
  const manner = choices.pick(["fast", "fast", "slow", "late", "abort"]);
  const request = httpRequest({
    ...{ host: "127.0.0.1", port, path: target, agent: agent ?? false },
    method: up > 0 ? "POST" : "GET",
    headers: { host, ...(up > 0 && { "transfer-encoding": "chunked" }) },
  });
  request.on("error", () => {});
  const answered = once(request, "response") as Promise<[IncomingMessage]>;
  answered.catch(() => {});
  const body = bytesOf(upToken(tenant, target), up);
  if (manner === "abort" && up > 0) {
    request.write(body.subarray(0, choices.below(up)));
    await after(choices.below(50));
    return void request.destroy();
  }
  await writePieces(request, body, choices);
  const [response] = await answered;
  response.on("error", () => {});
  if (response.statusCode !== 200) {
    problems.push(`${target}: status ${response.statusCode}`);
    return void response.destroy();
  }
  // The others' bytes pass while these wait.
  if (manner === "late") await after(200 + choices.below(300));
  const got = await readAll(
    response,
    manner === "slow" ? 1 : 0,
    manner === "abort" ? choices.below(down + 1) : undefined,
  );
  const token = downToken(tenant, target);
  if (response.complete) problems.push(...compare(got, token, down));
  else if (manner !== "abort") problems.push(`${token}: broken off`);
  else problems.push(...compare(got, token, got.length));
}

// Asks again before it is answered, which is more than the quick way for plain requests takes.
async function pipeline(
  url: string,
  tenant: string,
  targets: readonly string[],
  problems: string[],
): Promise<void> {
  const socket = await dialEdge(url);
  socket.on("error", () => {});
  const { host } = new URL(url);
  const plain = targets.map((target) => target.replace("&chunked", ""));
  socket.write(
    plain
      .map(
        (target, i) =>
          `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${i === plain.length - 1 ? "Connection: close\r\n" : ""}\r\n`,
      )
      .join(""),
  );
  let rest = await readAll(socket, 0);
  for (const target of plain) {
    const head = rest.indexOf("\r\n\r\n") + 4;
    const { down } = wishOf(target);
    problems.push(
      ...compare(
        rest.subarray(head, head + down),
        downToken(tenant, target),
        down,
      ),
    );
    rest = rest.subarray(head + down);
  }
}

// Small ones meet large ones, and now and then more than the system takes for somebody who does not read.
const sizeOf = (choices: Choices): number =>
  choices.oneIn(2)
    ? choices.logUniform(MAX_BYTES)
    : choices.below(MAX_BYTES) + (choices.oneIn(3) ? 2 * MAX_BYTES : 0);

/** A WebSocket whose frames come back, many under way at a time. */
async function speak(
  url: string,
  choices: Choices,
  name: string,
): Promise<void> {
  const { host, port } = new URL(url);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
    headers: { host },
    perMessageDeflate: choices.oneIn(2),
  });
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  const sizes = Array.from({ length: FRAMES }, () =>
    choices.logUniform(MAX_FRAME_BYTES),
  );
  let heard = 0;
  const echoed = new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${name}: closed`)));
    socket.on("message", (data: Buffer) => {
      const [wrong] = compare(data, `${name} ${heard}`, sizes[heard]!);
      if (wrong) reject(new Error(wrong));
      else if (++heard === FRAMES) resolve();
    });
  });
  for (const [i, size] of sizes.entries()) {
    socket.send(bytesOf(`${name} ${i}`, size));
    if (!choices.oneIn(5)) continue;
    socket.pause();
    await after(choices.below(100));
    socket.resume();
  }
  await echoed;
  socket.close();
}

async function writePieces(
  to: Writable,
  bytes: Buffer,
  choices: Choices,
): Promise<void> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieces.at(-1)!.length)
    pieces.push(bytes.subarray(at, at + 1 + choices.logUniform(200_000)));
  await sendAll(Readable.from(pieces), to);
}

/** @param most gives up behind so many bytes */
async function readAll(
  stream: Readable,
  pauseMs: number,
  most?: number,
): Promise<Buffer> {
  const got: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      got.push(chunk);
      bytes += chunk.length;
      if (most !== undefined && bytes >= most) break;
      if (pauseMs > 0) await after(pauseMs);
    }
  } catch {
    // Whoever called sees that it is not whole.
  }
  return Buffer.concat(got);
}

// --- what looks on

/** @returns has each SSH connection of this process change its keys; tells how often one has */
function useKeyChanges(): () => number {
  const connections = new Set<Connection>();
  let changes = 0;
  // Nothing else leads to the client's connections.
  const { emit } = EventEmitter.prototype;
  EventEmitter.prototype.emit = function (this: EventEmitter, event, ...args) {
    if (event === "ready" && "_protocol" in this)
      connections.add(this as Connection);
    if (event === "handshake" && connections.has(this as Connection)) changes++;
    return emit.call(this, event, ...args);
  };
  onTestFinished(() => {
    EventEmitter.prototype.emit = emit;
  });
  return () => {
    for (const { _protocol } of connections) _protocol.rekey();
    return changes;
  };
}

interface Connection extends EventEmitter {
  readonly _protocol: { rekey(): void };
}

interface Inspector {
  /** Compares the bodies of the last exchanges with what was sent. */
  look(count: number): Promise<void>;
  clear(): Promise<void>;
  compared(): number;
}

function inspectorOf(
  stateFolder: string,
  tenant: string,
  problems: string[],
): Inspector {
  const folder = join(stateFolder, "run");
  const { url, token } = JSON.parse(
    readFileSync(join(folder, readdirSync(folder)[0]!), "utf8"),
  ) as { url: string; token: string };
  const ask = (path: string, method = "GET"): Promise<Response> =>
    fetch(`${url}/api/v1/exchanges${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    });
  const seen = new Set<string>();
  let compared = 0;

  async function check(id: string): Promise<void> {
    const answer = await ask(`/${id}`);
    seen.add(id);
    // Cleared in between.
    if (answer.status === 404) return;
    const exchange = (await answer.json()) as Exchange;
    for (const side of ["request", "response"] as const) {
      const body = exchange[side]?.body;
      const sent = side === "request" ? upToken : downToken;
      if (!body || body.bytes < 1_000 || body.keptBytes < body.bytes) continue;
      const bytes = await ask(`/${id}/${side}/body`);
      if (bytes.status === 404) continue;
      const got = Buffer.from(await bytes.arrayBuffer());
      problems.push(
        ...compare(got, sent(tenant, exchange.target), body.bytes).map(
          (problem) => `captured ${problem}`,
        ),
      );
      compared++;
    }
  }

  return {
    async look(count) {
      const { items } = (await (
        await ask(`?limit=${count}`)
      ).json()) as ExchangePage;
      await Promise.all(
        items
          .filter(
            ({ id, kind, state }) =>
              kind === "http" && state === "complete" && !seen.has(id),
          )
          .map(({ id }) => check(id)),
      );
    },
    async clear() {
      await (await ask("", "DELETE")).arrayBuffer();
    },
    compared: () => compared,
  };
}
