// The long runs: parses, starts a world for each ingress, runs what was asked for, prints figures and ends everything.
import { parseArgs } from "node:util";
import { startWorld, type IngressKind } from "../harness/worlds.ts";
import { runBytes } from "./bytes.ts";
import { isolationConfig, runIsolation } from "./isolation.ts";
import { runBurst } from "./burst.ts";
import { runSlow, type SlowKind } from "./slow.ts";
import { createProbe, withProbe } from "./probe.ts";
import { runSoak } from "./soak.ts";

const USAGE = `npm run soak -- KIND [options]

  bytes       random bodies up and down (--count 10000)
  isolation   a thousand tunnels of ten tenants under kills, resets and aborts (--requests 100000)
  slow        slow headers, bodies and readers from many addresses and from one (--connections 12000, --per-address 100, --kinds, --from, --seconds 20)
  burst       2,000 requests to one tunnel at once (--requests 2000)
  soak        requests, aborts, WebSockets and lost connections, and what is held afterwards (--requests 500000)

  --ingress embedded,openssh   which ones, one after the other (default: both)
  --seed N                     default: 1
`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ingress: { type: "string", default: "embedded,openssh" },
    seed: { type: "string", default: "1" },
    count: { type: "string" },
    requests: { type: "string" },
    tunnels: { type: "string" },
    connections: { type: "string" },
    kinds: { type: "string", default: "headers,body,read,idle,hold" },
    from: { type: "string", default: "many,one" },
    "per-address": { type: "string", default: "100" },
    seconds: { type: "string", default: "20" },
  },
});
const seed = Number(values.seed);
const kinds: Record<
  string,
  (ingress: IngressKind) => Promise<readonly string[]>
> = {
  async bytes(ingress) {
    const world = await startWorld(ingress);
    try {
      const result = await runBytes(world, {
        seed,
        count: Number(values.count ?? 10_000),
        onProgress: (done, bytes) =>
          done % 1_000 === 0 && print(`  ${done} bodies, ${bytes} bytes`),
      });
      print(
        `${result.bodies} bodies, ${(result.bytes / 1e9).toFixed(2)} GB in ${result.seconds.toFixed(0)} s`,
      );
      return result.problems;
    } finally {
      await world.stop();
    }
  },
  async isolation(ingress) {
    const world = await startWorld(ingress, { config: isolationConfig });
    try {
      const { problems, ...figures } = await runIsolation(world, {
        seed,
        tunnels: Number(values.tunnels ?? 1_000),
        requests: Number(values.requests ?? 100_000),
        clients: 10,
        sessionsPerClient: 10,
        misfortuneEvery: 1_000,
        onProgress: (done) => print(`  ${done} requests`),
      });
      print(JSON.stringify(figures));
      return problems;
    } finally {
      await world.stop();
    }
  },
  async slow(ingress) {
    for (const kind of values.kinds.split(",") as SlowKind[])
      for (const from of values.from.split(",") as ("many" | "one")[]) {
        const world = await startWorld(ingress);
        try {
          const result = await runSlow(world, {
            kind,
            from,
            connections: Number(values.connections ?? 12_000),
            perAddress: Number(values["per-address"]),
            seconds: Number(values.seconds),
          });
          print(`${kind} from ${from}`);
          for (const [name, figure] of Object.entries(result))
            print(`  ${name} ${JSON.stringify(figure)}`);
        } finally {
          await world.stop();
        }
      }
    return [];
  },
  async burst(ingress) {
    const requests = Number(values.requests ?? 2_000);
    const world = await startWorld(ingress);
    try {
      const { outcomes, ...times } = await runBurst(world, requests);
      print(JSON.stringify({ outcomes, ...times }));
      return outcomes["200"] === requests ? [] : [JSON.stringify(outcomes)];
    } finally {
      await world.stop();
    }
  },
  async soak(ingress) {
    const probe = createProbe();
    const requests = Number(values.requests ?? 500_000);
    const world = await withProbe(probe, () =>
      startWorld(ingress, {
        config: "limits: { connections-per-visitor: 10000 }",
      }),
    );
    try {
      const { problems, ...figures } = await runSoak(world, probe, {
        seed,
        requests,
        stepRequests: Math.ceil(requests / 20),
        stepsPerLoss: 5,
        onStep: (done, { edge, client }) =>
          print(
            `  ${done} requests; edge ${JSON.stringify(edge)}; client ${JSON.stringify(client)}`,
          ),
      });
      print(JSON.stringify(figures, undefined, 2));
      return problems;
    } finally {
      await world.stop();
      probe.close();
    }
  },
};

const run = kinds[positionals[0] ?? ""];
if (!run) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else
  for (const ingress of values.ingress.split(",") as IngressKind[]) {
    print(`${positionals[0]}, ${ingress}, seed ${seed}`);
    const problems = await run(ingress);
    print(`${problems.length} problems`);
    for (const problem of problems.slice(0, 20)) print(`  ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
  }
