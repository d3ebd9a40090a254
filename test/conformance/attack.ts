// Sends bytes that no client library would send, many at a time, while another visitor checks that every answer is theirs;
// then compares what the edge says it forwarded with what arrived.
import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { World } from "../harness/worlds.ts";
import { tokenOf, type Recorder } from "./recorder.ts";

/** What became of an attack. */
export interface Outcome {
  /** First status of each connection; 0 where there was none. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Everything that should not have happened, in words. */
  readonly problems: readonly string[];
}

const AT_ONCE = 400;
// Above every time limit that the edge is given for these tests: whoever is still connected then has been forgotten.
const HANG_MS = 15_000;
// Long enough for an edge that has four hundred others to read.
const PATIENCE_MS = 100;

/** Limits of the edge under attack: short ones, since unfinished requests end by them alone. */
export const attackConfig = `
limits: { connections-per-visitor: 10000 }
timeouts: { headers: 1s, idle: 1s, request-idle: 1s }
`;

/**
 * Sends each payload on a connection of its own, its second piece once an answer has begun or does not seem to.
 *
 * @param name the tunnel's name; payloads have to name it as their Host themselves to get anywhere
 */
export async function attack(
  world: World,
  name: string,
  recorder: Recorder,
  payloads: Iterable<readonly Buffer[]>,
): Promise<Outcome> {
  const problems: string[] = [];
  const statuses = new Map<number, number>();
  const victim = startVictim(world, name, problems);
  const queue = payloads[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      const status = await send(world.httpPort, next.value, problems);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await victim.stop();
  if (world.edge.child.exitCode !== null) problems.push("the edge has died");
  await world.restartEdge("SIGTERM");
  problems.push(...(await recorder.objections()));
  problems.push(...compareWithLog(world, name, recorder));
  return { statuses, problems };
}

async function send(
  port: number,
  [first, second]: readonly Buffer[],
  problems: string[],
): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => resolve()),
  );
  let answer = "";
  let later = second;
  const sendLater = (): void => {
    if (later) socket.write(later);
    later = undefined;
  };
  socket.on("data", (chunk: Buffer) => {
    if (answer.length < 100) answer += chunk.toString("latin1");
    sendLater();
  });
  const patience = setTimeout(sendLater, PATIENCE_MS);
  const hang = setTimeout(() => {
    problems.push(
      `no end within ${HANG_MS} ms: ${JSON.stringify(first!.toString("latin1").slice(0, 400))}`,
    );
    socket.destroy();
  }, HANG_MS);
  socket.write(first!);
  await closed;
  clearTimeout(patience);
  clearTimeout(hang);
  if (answer === "") return 0;
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer);
  if (!status)
    problems.push(
      `an answer that is none: ${JSON.stringify(answer.slice(0, 100))}`,
    );
  return Number(status?.[1] ?? 0);
}

/** Another visitor of the same tunnel, on connections of their own: each answer must carry the token of its question. */
function startVictim(
  world: World,
  name: string,
  problems: string[],
): { stop(): Promise<void> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const { host } = new URL(world.urlOf(name));
  let stopped = false;
  let count = 0;
  const visitor = async (): Promise<void> => {
    while (!stopped) {
      const token = `victim-${count++}`;
      const request = httpRequest({
        agent,
        host: "127.0.0.1",
        port: world.httpPort,
        path: `/${token}`,
        headers: { host, "x-mark": token },
      });
      request.end();
      try {
        const [response] = (await once(request, "response")) as [
          IncomingMessage,
        ];
        let text = "";
        for await (const chunk of response) text += String(chunk);
        if (text !== token)
          problems.push(
            `${token} was answered with ${response.statusCode} ${JSON.stringify(text.slice(0, 100))}`,
          );
      } catch (error) {
        // A kept-alive connection that the edge closed just then: asked again.
        if ((error as NodeJS.ErrnoException).code !== "ECONNRESET")
          problems.push(`${token}: ${(error as Error).message}`);
      }
    }
  };
  const visitors = Promise.all([visitor(), visitor()]);
  return {
    async stop() {
      stopped = true;
      await visitors;
      agent.destroy();
    },
  };
}

/** Every request that arrived is in the access log, and every answer of the service in the log was asked for. */
function compareWithLog(
  world: World,
  name: string,
  recorder: Recorder,
): string[] {
  const problems: string[] = [];
  const logged = new Map<
    string,
    { all: number; answered: number; retried: number }
  >();
  for (const record of world.accessLog()) {
    if (record["tunnel"] !== name) continue;
    // The log cuts and redacts; the token is what both have.
    const key = keyOf(String(record["method"]), markOf(record["headers"]));
    const entry = logged.get(key) ?? { all: 0, answered: 0, retried: 0 };
    entry.all++;
    if (record["error"] === undefined && record["status"] !== 0)
      entry.answered++;
    if (record["retried"]) entry.retried++;
    logged.set(key, entry);
  }
  const arrived = new Map<string, number>();
  for (const request of recorder.requests()) {
    const key = keyOf(request.method, tokenOf(request));
    arrived.set(key, (arrived.get(key) ?? 0) + 1);
  }
  for (const [key, count] of arrived) {
    const entry = logged.get(key) ?? { all: 0, answered: 0, retried: 0 };
    if (count > entry.all + entry.retried)
      problems.push(
        `${key} arrived ${count} times and was logged ${entry.all} times`,
      );
  }
  for (const [key, { answered }] of logged)
    if (answered > (arrived.get(key) ?? 0))
      problems.push(
        `${key} was answered ${answered} times and arrived ${arrived.get(key) ?? 0} times`,
      );
  return problems;
}

// As the recorder reads it: names in any case, the first of several.
function markOf(headers: unknown): unknown {
  for (const [name, value] of Object.entries(headers ?? {}))
    if (name.toLowerCase() === "x-mark")
      return Array.isArray(value) ? value[0] : value;
  return undefined;
}

const keyOf = (method: string, token: unknown): string =>
  `${method} ${typeof token === "string" ? token : "none"}`;
