// Where a visitor, a tunnel and its upstream play a scene with raw bytes: one world, one session for each of two tenants,
// and for each scene a tunnel and an upstream of its own. Afterwards everybody must be as if nothing had happened.
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { startWorld, type IngressKind, type World } from "../harness/worlds.ts";
import { parseAnswers, type ParsedAnswer } from "./strict-answers.ts";
import { parseRequests } from "./strict-parser.ts";
import { dial, Wire } from "./wire.ts";

/** What an upstream does on a connection. */
export type Script = (wire: Wire) => Promise<void> | void;

/** A local service that speaks raw bytes. */
export interface RawUpstream {
  readonly port: number;
  /** Its connections, in the order in which they came. */
  readonly wires: readonly Wire[];
  /** How many of them follow a script. */
  readonly scripted: number;
  /** The connection with this number, once it is there. */
  wire(index: number): Promise<Wire>;
  /** How often a request with this token has arrived, or begun to. */
  copies(token: string): number;
  close(): void;
}

/** A tunnel for one test. */
export interface Scene {
  readonly host: string;
  readonly upstream: RawUpstream;
  /** A connection of a visitor, which ends with the scene. */
  visitor(): Promise<Wire>;
  /** A head for this tunnel. @param lines without line ends */
  head(method: string, token: string, ...lines: string[]): string;
  /** Has other visitors ask on connections of their own, here and at another tenant's; each must get their own answer. */
  othersGetTheirs(): Promise<void>;
  /**
   * Waits until the edge has nothing in hand and the upstream has lost every connection that followed a script.
   * @param stays the ones that the edge may use again
   */
  untilCalm(stays?: readonly Wire[]): Promise<void>;
  /** Fails when the upstream keeps a connection of a tunnel that has closed. */
  end(): Promise<void>;
}

/** A world with two tenants. */
export interface Stage {
  readonly world: World;
  /**
   * Opens a tunnel.
   * @param scripts what its upstream does with the first request on each of its first connections; any other it answers
   * with that request's own token
   */
  begin(scripts: readonly Script[]): Promise<Scene>;
  stop(): Promise<void>;
}

/** Starts one. Whoever starts it stops it. */
export async function startStage(
  ingress: IngressKind,
  config: string,
): Promise<Stage> {
  // Each worker has a pool of its own, and which connection serves whom is a part of the play.
  const world = await startWorld(ingress, { config, workers: 1 });
  const alice = await world.openSession({ watchRequests: false });
  const bob = await world.openSession({ watchRequests: false }, "bob");
  const elsewhere = await startRawUpstream([]);
  await bob.open({ port: elsewhere.port, name: "elsewhere" });
  let scenes = 0;

  return {
    world,
    async begin(scripts) {
      const upstream = await startRawUpstream(scripts);
      const name = `scene-${++scenes}`;
      const tunnel = await alice.open({ port: upstream.port, name });
      return openScene(world, tunnel.url, upstream, () => tunnel.close());
    },
    async stop() {
      await alice.close();
      await bob.close();
      elsewhere.close();
      await world.stop();
    },
  };
}

/**
 * Sets a scene for a tunnel that others have opened.
 *
 * @param close ends the tunnel, with the scene. Default: others do
 */
export function openScene(
  world: World,
  url: string,
  upstream: RawUpstream,
  close?: () => Promise<void>,
): Scene {
  const { host } = new URL(url);
  const visitors: Wire[] = [];
  const visitor = async (): Promise<Wire> => {
    const wire = await dial(world.httpPort);
    visitors.push(wire);
    return wire;
  };
  return {
    ...{ host, upstream, visitor },
    head: (method, token, ...lines) => headOf(host, method, token, lines),
    async othersGetTheirs() {
      const elsewhere = new URL(world.urlOf("elsewhere")).host;
      await Promise.all(
        [host, host, elsewhere].map(async (theirs, i) => {
          const wire = await visitor();
          await getOwnAnswer(wire, theirs, i === 1 ? "POST" : "GET");
          wire.leave("closes");
        }),
      );
    },
    async untilCalm(stays = []) {
      for (const wire of upstream.wires.slice(0, upstream.scripted))
        if (!stays.includes(wire)) await wire.untilClosed();
      for (const wire of stays)
        if (wire.over) throw new Error("A good connection was thrown away.");
      await untilNothingInHand(world);
      const bug = / bug .*/.exec(world.edge.stderr);
      if (bug) throw new Error(bug[0]);
    },
    async end() {
      for (const wire of visitors) wire.socket.destroy();
      await close?.();
      // A tunnel takes its connections along, those of the pool too.
      if (close) for (const wire of upstream.wires) await wire.untilClosed();
      upstream.close();
    },
  };
}

/** Starts an upstream on a free port of loopback. */
export async function startRawUpstream(
  scripts: readonly Script[],
): Promise<RawUpstream> {
  const wires: Wire[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const wire = new Wire(socket);
    const script = scripts[wires.length];
    wires.push(wire);
    server.emit("wire");
    void perform(wire, script);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    wires,
    scripted: scripts.length,
    async wire(index) {
      while (wires.length <= index) await once(server, "wire");
      return wires[index]!;
    },
    copies: (token) =>
      wires.reduce(
        (sum, { text }) => sum + text.split(`/${token} `).length - 1,
        0,
      ),
    close() {
      for (const { socket } of wires) socket.destroy();
      server.close();
    },
  };
}

// A script fails when its connection ends under it, which many are about; what was expected shows at the visitor.
async function perform(wire: Wire, script: Script | undefined): Promise<void> {
  try {
    await script?.(wire);
    await answerHonestly(wire, script ? 1 : 0);
  } catch {
    wire.socket.destroy();
  }
}

/** Answers what comes, until the other side has ended. @param answered how many of its requests have been answered */
async function answerHonestly(wire: Wire, answered: number): Promise<void> {
  while (!wire.over) {
    const all = requestsOn(wire);
    for (const { target, method } of all.slice(answered))
      wire.write(honestAnswer(method, target.slice(1)));
    answered = Math.max(answered, all.length);
    await wire.change();
  }
  if (!wire.closed) wire.leave("closes");
}

/** The one right answer to a request for `/token`. */
export const honestAnswer = (method: string, token: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${token.length}\r\n\r\n${method === "HEAD" ? "" : token}`;

/** What has been asked on an upstream's connection. */
export const requestsOn = (wire: Wire) =>
  parseRequests(Buffer.from(wire.text, "latin1")).requests;

const headOf = (
  host: string,
  method: string,
  token: string,
  lines: readonly string[],
): string =>
  [`${method} /${token} HTTP/1.1`, `Host: ${host}`, ...lines, "", ""].join(
    "\r\n",
  );

let tokens = 0;
/** A word that nobody else has. */
export const newToken = (): string => `token-${++tokens}-${process.pid}`;

/** Asks on a visitor's connection, and compares the answer. @throws Error when it is not the visitor's own */
export async function getOwnAnswer(
  wire: Wire,
  host: string,
  method = "GET",
): Promise<void> {
  const token = newToken();
  const before = wire.text.length;
  const body = method === "POST" ? token : "";
  wire.write(
    headOf(
      host,
      method,
      token,
      body ? [`Content-Length: ${body.length}`] : [],
    ) + body,
  );
  const answer = await untilAnswered(wire, method, before);
  if (answer?.status !== 200 || answer.body.toString("latin1") !== token)
    throw new Error(
      `${token} was answered with ${JSON.stringify(wire.text.slice(before, before + 500))}`,
    );
}

/**
 * Waits for a whole answer, interim ones apart, or for the end of the connection.
 *
 * @param from where the answer begins in what came
 */
export async function untilAnswered(
  wire: Wire,
  method: string,
  from = 0,
): Promise<ParsedAnswer | undefined> {
  const answer = (): ParsedAnswer | undefined =>
    answersOn(wire, method, from).answers.find(({ status }) => status >= 200);
  await wire.when(() => answer() !== undefined || wire.over, "an answer");
  return answer();
}

/**
 * What a visitor has made of what came: `502 upstream-closed`, `200 "body"`, `200 torn`, `nothing`, with interim answers in
 * front and whatever stands behind.
 */
export function told(wire: Wire, method: string): string {
  const { answers, rest } = answersOn(wire, method, 0);
  const words = answers.map(({ status, headers, body }) => {
    const code = headers.find(([name]) => name === "Expose-Error")?.[1];
    if (status < 200) return String(status);
    return `${status} ${code ?? JSON.stringify(body.toString("latin1"))}`;
  });
  const torn = /^HTTP\/1\.1 (\d{3}) .*\r\n\r\n/s.exec(rest.toString("latin1"));
  if (torn) words.push(`${torn[1]} torn`);
  else if (rest.length > 0) words.push(JSON.stringify(rest.toString("latin1")));
  return words.join(", ") || "nothing";
}

// RFC 9112 section 8: a reset ends no body.
const answersOn = (wire: Wire, method: string, from: number) =>
  parseAnswers(
    Buffer.from(wire.text.slice(from), "latin1"),
    [method],
    wire.ended === "FIN",
  );

const PATIENCE_MS = 8_000;

async function untilNothingInHand(world: World): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const metrics = await world.metrics();
    const left = ["requests_in_flight", "upgrades_open", "visitor_connections"]
      .map((name) => new RegExp(`^expose_${name} .*$`, "m").exec(metrics)?.[0])
      .filter((line) => !line?.endsWith(" 0"));
    if (left.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(`The edge still has ${left.join(", ")}.`);
  }
}
