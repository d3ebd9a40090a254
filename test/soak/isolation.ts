// Many tunnels of many tenants under kills, resets and aborts: no answer, nor any part of one, comes from a foreign
// upstream or belongs to another request, and no request reaches one.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { stop, type RunningProgram } from "../harness/processes.ts";
import { startRelay, type Relay } from "../harness/relay.ts";
import { visit } from "../harness/visit.ts";
import type { World } from "../harness/worlds.ts";
import { startClient, type ClientSession } from "./clients.ts";
import { createChoices, type Choices } from "./random.ts";

/** What to run. */
export interface IsolationOptions {
  readonly seed: number;
  readonly tunnels: number;
  readonly requests: number;
  /** Clients, each an identity and a process of its own. */
  readonly clients: number;
  readonly sessionsPerClient: number;
  /** Requests between two misfortunes of a client. */
  readonly misfortuneEvery: number;
  readonly onProgress?: (done: number) => void;
}

/** What came of it. */
export interface IsolationResult {
  /** Complete answers of the right upstream. */
  readonly answered: number;
  /** Requests that were aborted, or cut off on their way. */
  readonly broken: number;
  /** Answers of the edge itself, by error code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly kills: number;
  readonly resets: number;
  readonly seconds: number;
  /** Everything that should not have happened, in words. */
  readonly problems: readonly string[];
}

/** What the edge must be told for it. */
export const isolationConfig = `
limits: { tunnels-per-identity: 1000, sessions-per-identity: 1000, connections-per-visitor: 10000 }
`;

const AT_ONCE = 96;
const MAX_BYTES = 200_000;

interface Place {
  readonly name: string;
  readonly token: string;
  readonly server: Server;
  readonly port: number;
}

/** Runs it, in a world with `isolationConfig`. */
export async function runIsolation(
  world: World,
  options: IsolationOptions,
): Promise<IsolationResult> {
  const { seed, requests, onProgress } = options;
  const problems: string[] = [];
  const places = await openPlaces(world, options.tunnels, problems);
  const fleet = await startFleet(world, places, options);
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const refused: Record<string, number> = {};
  let answered = 0;
  let broken = 0;
  let next = 0;
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    while (next < requests) {
      const index = next++;
      if (index > 0 && index % options.misfortuneEvery === 0)
        fleet.misfortune(createChoices(seed, index, 4));
      if (index > 0 && index % 10_000 === 0) onProgress?.(index);
      const outcome = await ask(world, agent, places, seed, index);
      if (outcome === "answered") answered++;
      else if (outcome === "broken") broken++;
      else if ("refused" in outcome)
        refused[outcome.refused] = (refused[outcome.refused] ?? 0) + 1;
      else problems.push(outcome.problem);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await fleet.recovered();
    // In the end everybody is where they belong.
    for (const { name, token } of places) {
      const { text } = await visit(world.urlOf(name), "/end?bytes=21");
      if (text !== pattern(token, "end"))
        problems.push(`at the end ${name} answers ${text.slice(0, 200)}`);
    }
    if (world.edge.child.exitCode !== null) problems.push("the edge has died");
  } finally {
    agent.destroy();
    await fleet.stop();
    for (const { server } of places) {
      server.closeAllConnections();
      server.close();
    }
  }
  return {
    answered,
    broken,
    refused,
    kills: fleet.kills,
    resets: fleet.resets,
    seconds: (performance.now() - startedAt) / 1_000,
    problems,
  };
}

type Outcome =
  | "answered"
  | "broken"
  | { readonly refused: string }
  | { readonly problem: string };

// One request. Its mark is its number; the answer repeats the tunnel's token and the mark, so that any part of it shows
// whose it is.
async function ask(
  world: World,
  agent: Agent,
  places: readonly Place[],
  seed: number,
  index: number,
): Promise<Outcome> {
  const choices = createChoices(seed, index, 5);
  const place = choices.pick(places);
  const mark = String(index);
  const bytes = 1 + choices.logUniform(MAX_BYTES);
  const fate = choices.oneIn(8)
    ? choices.pick(["early", "middle", "late"] as const)
    : "none";
  const visitorLeaves = choices.oneIn(8)
    ? choices.pick(["asking", "reading", "soon"] as const)
    : "never";
  const body = choices.oneIn(4)
    ? pattern(place.name, mark).repeat(choices.below(1_000))
    : undefined;
  const request = httpRequest({
    agent,
    host: "127.0.0.1",
    port: world.httpPort,
    method: body === undefined ? "GET" : "POST",
    path: `/${mark}?bytes=${bytes}&fate=${fate}`,
    headers: {
      host: new URL(world.urlOf(place.name)).host,
      ...(body !== undefined && { "content-length": body.length }),
    },
  });
  request.end(body);
  let timer: NodeJS.Timeout | undefined;
  if (visitorLeaves === "asking")
    request.once("socket", () => setImmediate(() => request.destroy()));
  if (visitorLeaves === "soon")
    timer = setTimeout(() => request.destroy(), choices.below(30));
  try {
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const code = response.headers["expose-error"];
    const chunks: Buffer[] = [];
    let complete = true;
    try {
      for await (const chunk of response) {
        chunks.push(chunk as Buffer);
        if (visitorLeaves === "reading") request.destroy();
      }
    } catch {
      complete = false;
    }
    if (code !== undefined) return { refused: String(code) };
    const got = Buffer.concat(chunks).toString("latin1");
    const line = pattern(place.token, mark);
    const expected = line
      .repeat(Math.ceil(bytes / line.length))
      .slice(0, bytes);
    if (complete ? got !== expected : !expected.startsWith(got))
      return {
        problem: `${place.name} (${place.token}) answered ${mark} with ${got.length} of ${bytes} bytes, ${complete ? "complete" : "cut"}: ${JSON.stringify(got.slice(0, 200))}`,
      };
    if (response.headers["x-token"] !== place.token)
      return {
        problem: `${mark} got the head of ${String(response.headers["x-token"])}`,
      };
    return complete ? "answered" : "broken";
  } catch {
    return "broken";
  } finally {
    clearTimeout(timer);
  }
}

const pattern = (whose: string, mark: string): string => `${whose} ${mark}\n`;

async function openPlaces(
  world: World,
  count: number,
  problems: string[],
): Promise<Place[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const name = `place-${i}`;
      const token = randomBytes(8).toString("hex");
      const server = createServer(
        answerAs(name, token, new URL(world.urlOf(name)).host, problems),
      );
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return {
        name,
        token,
        server,
        port: (server.address() as AddressInfo).port,
      };
    }),
  );
}

function answerAs(
  name: string,
  token: string,
  host: string,
  problems: string[],
): RequestListener {
  return (request, response) => {
    if (request.headers.host !== host)
      problems.push(`${name} was asked for ${String(request.headers.host)}`);
    const url = new URL(request.url!, "http://place");
    const mark = url.pathname.slice(1);
    const line = pattern(token, mark);
    const bytes = Number(url.searchParams.get("bytes"));
    const fate = url.searchParams.get("fate");
    if (fate === "early") return void request.socket.destroy();
    let came = "";
    request.on("data", (chunk: Buffer) => (came += chunk.toString("latin1")));
    request.on("error", () => {});
    request.on("end", () => {
      const theirs = pattern(name, mark);
      if (came !== theirs.repeat(came.length / theirs.length))
        problems.push(`${name} got a foreign body: ${came.slice(0, 200)}`);
      const text = line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes);
      response.setHeader("x-token", token);
      response.setHeader("content-length", bytes);
      if (fate === "middle") {
        response.write(text.slice(0, bytes >> 1));
        setImmediate(() => request.socket.destroy());
      } else if (fate === "late") setTimeout(() => response.end(text), 20);
      else response.end(text);
    });
  };
}

interface Fleet {
  readonly kills: number;
  readonly resets: number;
  /** Kills a client, which is started again, or resets its connections. */
  misfortune(choices: Choices): void;
  /** Resolves when every client that was killed is back. */
  recovered(): Promise<void>;
  stop(): Promise<void>;
}

async function startFleet(
  world: World,
  places: readonly Place[],
  options: IsolationOptions,
): Promise<Fleet> {
  const [user, address] = world.server.split("@") as [string, string];
  const target = { host: "127.0.0.1", port: Number(address.split(":")[1]) };
  const members: {
    readonly sessions: readonly ClientSession[];
    readonly relay: Relay;
    program: RunningProgram | undefined;
  }[] = [];
  const restarts = new Set<Promise<void>>();
  let kills = 0;
  let resets = 0;
  let failure: unknown;

  for (let i = 0; i < options.clients; i++) {
    const id = `tenant-${i}`;
    await world.addIdentity(id);
    const relay = await startRelay(target);
    const session = {
      ...world.session(id),
      server: `${user}@127.0.0.1:${relay.port}`,
    };
    // Neighbours in number belong to different clients and sessions.
    const own = places.filter((_, at) => at % options.clients === i);
    const sessions = Array.from(
      { length: options.sessionsPerClient },
      (_, s) => ({
        session,
        tunnels: own
          .filter((_place, at) => at % options.sessionsPerClient === s)
          .map(({ name, port }) => ({ name, port })),
      }),
    );
    members.push({ sessions, relay, program: undefined });
  }
  for (const member of members)
    member.program = await startClient(member.sessions);

  return {
    get kills() {
      return kills;
    },
    get resets() {
      return resets;
    },
    misfortune(choices) {
      const member = choices.pick(members);
      const { program } = member;
      if (!program) return;
      if (choices.oneIn(2)) {
        resets++;
        member.relay.reset();
        return;
      }
      kills++;
      member.program = undefined;
      const restart = stop(program, "SIGKILL")
        .then(() => startClient(member.sessions))
        .then(
          (started) => void (member.program = started),
          (error: unknown) => void (failure ??= error),
        )
        .finally(() => restarts.delete(restart));
      restarts.add(restart);
    },
    async recovered() {
      await Promise.all(restarts);
      if (failure !== undefined)
        throw new Error("A client did not come back.", { cause: failure });
    },
    async stop() {
      await Promise.all(restarts);
      for (const { program, relay } of members) {
        if (program) await stop(program);
        await relay.close();
      }
    },
  };
}
