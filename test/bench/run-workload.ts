// Measures the set-ups of one workload round robin: A B C A B C, so that what else the machine does hits all alike.
import { setTimeout as sleep } from "node:timers/promises";
import type {
  BenchWorld,
  RunOptions,
  Sample,
  Setup,
  Subject,
  Workload,
} from "./model.ts";

/** What came out of one workload. */
export interface Row {
  readonly setup: string;
  readonly about: string;
  /** One a round; null where it failed (JSON knows no undefined). */
  readonly samples: readonly (Sample | null)[];
  /** Why it did not run, or what went wrong while it did. */
  readonly problem: string | undefined;
}

const PAUSE_MS = 300;

/** Runs it. A set-up that fails stays in the table, with what it said; the others go on. */
export async function runWorkload(
  workload: Workload,
  setups: readonly Setup[],
  rounds: number,
  world: BenchWorld,
  options: RunOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Row[]> {
  const rows = setups.map((setup) => ({
    setup: setup.name,
    about: setup.about,
    samples: [] as (Sample | null)[],
    problem: setup.missing(),
  }));
  const subjects = new Map<number, Subject>();
  try {
    for (const [index, setup] of setups.entries()) {
      if (rows[index]!.problem !== undefined) continue;
      try {
        subjects.set(index, await workload.start(setup, world, options));
      } catch (error) {
        rows[index]!.problem = String(error);
        say(`${setup.name} does not start: ${String(error)}`);
      }
    }
    for (let round = 1; round <= rounds; round++)
      for (const [index, subject] of subjects) {
        if (signal.aborted) throw new Error("interrupted");
        const row = rows[index]!;
        try {
          const sample = await subject.sample();
          row.samples.push(sample);
          say(
            `${workload.name} ${round}/${rounds} ${row.setup}: ${sample.value.toPrecision(5)} ${workload.unit}`,
          );
        } catch (error) {
          row.samples.push(null);
          row.problem = String(error);
          say(
            `${workload.name} ${round}/${rounds} ${row.setup}: ${String(error)}`,
          );
        }
        await sleep(PAUSE_MS);
      }
  } finally {
    for (const subject of [...subjects.values()].reverse())
      await subject
        .close()
        .catch((error: unknown) => say(`not closed cleanly: ${String(error)}`));
  }
  return rows;
}
