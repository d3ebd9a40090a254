// The figures of one workload as they are kept, and the medians and ratios that are shown of them.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { median } from "../measure/statistics.ts";
import type { Workload } from "../model.ts";
import { CACHE, inRoot } from "../paths.ts";
import type { Row } from "../run-workload.ts";

/** A kept run. */
export interface Report {
  readonly name: string;
  readonly workload: string;
  readonly about: string;
  readonly unit: string;
  readonly better: "more" | "less";
  readonly cpuPer: string | undefined;
  readonly command: string;
  readonly date: string;
  readonly machine: string;
  readonly loadBefore: number;
  /** See droppedSegments(): anything but 0 spoils the run. Absent in older runs. */
  readonly dropped?: number;
  readonly baseline: string;
  readonly rows: readonly Row[];
}

/** A row of a table: medians over the rounds. */
export interface Summary {
  readonly setup: string;
  readonly about: string;
  readonly problem: string | undefined;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** Median of the ratios to the baseline in the same round. */
  readonly ratio: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  readonly cpu: Readonly<Record<string, number>>;
  readonly rssMib: Readonly<Record<string, number>>;
  readonly detail: Readonly<Record<string, number>>;
}

const RESULTS = join(CACHE, "results");

/** Puts a run together with what has to be known about it. */
export const createReport = (
  workload: Workload,
  rows: readonly Row[],
  facts: {
    name: string;
    command: string;
    baseline: string;
    loadBefore: number;
    dropped: number;
  },
): Report => ({
  ...facts,
  workload: workload.name,
  about: workload.about,
  unit: workload.unit,
  better: workload.better,
  cpuPer: workload.cpuPer,
  date: new Date().toISOString().slice(0, 16).replace("T", " "),
  machine: describeMachine(),
  rows,
});

/** Keeps it as the newest of its name. @returns the file */
export function keepReport(report: Report): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${report.name}.json`);
  writeFileSync(file, `${JSON.stringify(report, undefined, 1)}\n`);
  return file;
}

/** All that were kept. */
export const readReports = (): Report[] =>
  readdirSync(RESULTS)
    .filter((name) => name.endsWith(".json"))
    .map(
      (name) => JSON.parse(readFileSync(join(RESULTS, name), "utf8")) as Report,
    );

/** One summary a set-up. */
export function summarise(report: Report): Summary[] {
  const baseline = report.rows.find((row) => row.setup === report.baseline);
  return report.rows.map((row) => {
    const samples = row.samples.filter((sample) => sample !== null);
    const of = (
      get: (sample: (typeof samples)[number]) => number | undefined,
    ) => samples.map(get).filter((value) => value !== undefined);
    const records = (
      key: "cpu" | "rssMib" | "detail",
    ): Record<string, number> =>
      Object.fromEntries(
        Object.keys(samples[0]?.[key] ?? {}).map((name) => [
          name,
          median(of((sample) => sample[key]?.[name])),
        ]),
      );
    const values = of((sample) => sample.value);
    return {
      ...{ setup: row.setup, about: row.about, problem: row.problem },
      value: median(values),
      ...{ min: Math.min(...values), max: Math.max(...values) },
      ratio: median(
        row.samples.flatMap((sample, round) => {
          const base = baseline?.samples[round];
          return sample && base ? [sample.value / base.value] : [];
        }),
      ),
      p50Ms: median(of((sample) => sample.p50Ms)),
      p99Ms: median(of((sample) => sample.p99Ms)),
      maxMs: median(of((sample) => sample.maxMs)),
      errors: of((sample) => sample.errors).reduce(
        (sum, more) => sum + more,
        0,
      ),
      ...{
        cpu: records("cpu"),
        rssMib: records("rssMib"),
        detail: records("detail"),
      },
    };
  });
}

function describeMachine(): string {
  const processors = cpus();
  const ssh = spawnSync("ssh", ["-V"], { encoding: "utf8" }).stderr.split(
    ",",
  )[0];
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: inRoot(),
    encoding: "utf8",
  }).trim();
  return `${processors.length} cores of ${processors[0]?.model.trim() || "unknown"}, Linux ${release().split("-")[0]}, Node ${process.versions.node}, ${ssh?.trim() || "no OpenSSH"}; commit ${commit}`;
}
