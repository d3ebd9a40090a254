// The command line of the bench.
import { parseArgs } from "node:util";
import type { Workload } from "./model.ts";
import { workloads } from "./workloads/index.ts";

/** What was asked for. */
export interface BenchArguments {
  readonly command: "run" | "list" | "write";
  readonly workloads: readonly Workload[];
  /** Names; undefined for each workload's own. */
  readonly setups: readonly string[] | undefined;
  readonly baseline: string | undefined;
  readonly rounds: number | undefined;
  readonly seconds: number;
  /** Load to wait for before each workload. */
  readonly quiet: number | undefined;
  readonly profile: boolean;
  /** Keep the figures under this name instead of the workload's. */
  readonly as: string | undefined;
  /** Where a run over a WAN leaves its figures. */
  readonly result: string | undefined;
}

export const USAGE = `npm run bench -- WORKLOAD… [options]
npm run bench -- list                     set-ups and workloads, and what is missing for them
npm run bench -- write                    tables and plots of docs/performance.md from the figures that were kept

  --setups A,B,C     set-ups to run round robin (default: those of the workload)
  --baseline A       the one that ratios refer to (default: the first)
  --rounds N         default: the workload's, at least 3 (WAN cuts of 5 min: 1)
  --seconds N        length of one load measurement (default: 4)
  --quiet LOAD       wait (ten minutes at most) until the machine's load is below that
  --as NAME          keep the figures under this name (default: the workload's)
  --profile          CPU profiles of our own programs into .cache/bench/profiles; the figures are not kept
`;

/** @throws Error for a person */
export function parseArguments(argv: readonly string[]): BenchArguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      setups: { type: "string" },
      baseline: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string", default: "4" },
      as: { type: "string" },
      quiet: { type: "string" },
      result: { type: "string" },
      profile: { type: "boolean", default: false },
    },
  });
  const [first] = positionals;
  if (first === undefined) throw new Error(USAGE);
  const command = first === "list" || first === "write" ? first : "run";
  return {
    command,
    workloads: command === "run" ? positionals.map(findWorkload) : [],
    setups: values.setups?.split(","),
    rounds: values.rounds === undefined ? undefined : count(values.rounds),
    seconds: count(values.seconds),
    baseline: values.baseline,
    quiet: values.quiet === undefined ? undefined : Number(values.quiet),
    profile: values.profile,
    as: values.as,
    result: values.result,
  };
}

function findWorkload(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name);
  if (found) return found;
  throw new Error(
    `There is no workload "${name}"; there are ${workloads.map((workload) => workload.name).join(", ")}.\n\n${USAGE}`,
  );
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`"${text}" is no number of rounds or seconds.`);
}
