// The long runs: parses, starts a world for each ingress, runs what was asked for, prints figures and ends everything.
import { parseArgs } from "node:util";
import { startWorld, type IngressKind } from "../harness/worlds.ts";
import { runBytes } from "./bytes.ts";

const USAGE = `npm run soak -- KIND [options]

  bytes       random bodies up and down (--count 10000)

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
