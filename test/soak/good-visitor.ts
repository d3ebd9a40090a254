// A visitor with good manners, who notes how long each answer takes.
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** What a good visitor has seen so far. */
export interface Latencies {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers other than 200, and errors, by what they were. */
  readonly failures: Readonly<Record<string, number>>;
}

/** A visitor at work. */
export interface GoodVisitor {
  /** Ends it. */
  stop(): Promise<Latencies>;
}

// A person with a browser, and a monitor that opens a connection each time.
const PAUSE_MS = 10;

/** Asks for `/` at `url` again and again, on kept connections and on new ones in turn. */
export function startGoodVisitor(url: string): GoodVisitor {
  const { host, port } = new URL(url);
  const times: number[] = [];
  const failures: Record<string, number> = {};
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  let stopped = false;
  const fail = (what: string): void => {
    failures[what] = (failures[what] ?? 0) + 1;
  };
  const ask = async (agent: Agent | false): Promise<void> => {
    const startedAt = performance.now();
    const request = httpRequest({
      agent,
      host: "127.0.0.1",
      port,
      headers: { host },
      timeout: 20_000,
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.end();
    try {
      const [response] = (await once(request, "response")) as [IncomingMessage];
      for await (const chunk of response) void chunk;
      if (response.statusCode === 200)
        times.push(performance.now() - startedAt);
      else
        fail(
          `${response.statusCode} ${String(response.headers["expose-error"])}`,
        );
    } catch (error) {
      fail((error as Error).message);
    }
  };
  const loop = async (): Promise<void> => {
    for (let i = 0; !stopped; i++) {
      await ask(i % 2 === 0 ? kept : false);
      await sleep(PAUSE_MS);
    }
  };
  const done = loop();
  return {
    async stop() {
      stopped = true;
      await done;
      kept.destroy();
      times.sort((a, b) => a - b);
      const at = (share: number): number =>
        Math.round((times[Math.floor(times.length * share)] ?? NaN) * 10) / 10;
      return {
        requests: times.length,
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        maxMs: at(1 - 1e-9),
        failures,
      };
    },
  };
}
