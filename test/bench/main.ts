// The bench: parses, runs what was asked for, prints tables and keeps the figures.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArguments, type BenchArguments } from "./arguments.ts";
import type { BenchWorld, Setup, Workload } from "./model.ts";
import { CACHE } from "./paths.ts";
import {
  currentLoad,
  droppedSegments,
  waitForQuiet,
} from "./measure/machine.ts";
import { here } from "./place.ts";
import { writeDocument } from "./report/document.ts";
import { createReport, keepReport, type Report } from "./report/report.ts";
import { formatTable } from "./report/table.ts";
import { runWorkload } from "./run-workload.ts";
import { findSetup, setups } from "./setups/index.ts";
import { missingForWan, openLine, runInside } from "./wan/run-inside.ts";
import { workloads } from "./workloads/index.ts";
import { commandSetups } from "./workloads/start-up.ts";

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (text: string): void => void process.stdout.write(`${text}\n`);

// What was started has to be ended, so the first Ctrl-C lets the measurement that runs come to its end.
const interruption = new AbortController();
process.once("SIGINT", () => interruption.abort());

try {
  const args = parseArguments(process.argv.slice(2));
  if (args.command === "list") list();
  else if (args.command === "write") print(writeDocument());
  else for (const workload of args.workloads) await measure(workload, args);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function measure(
  workload: Workload,
  args: BenchArguments,
): Promise<void> {
  const line = openLine();
  if (workload.wan && !line) {
    const missing = missingForWan();
    if (missing !== undefined) return say(`${workload.name}: ${missing}`);
    const text = await runInside(workload.wan, [
      workload.name,
      ...process.argv
        .slice(2)
        .filter((arg) => !args.workloads.some(({ name }) => name === arg)),
    ]);
    return show(JSON.parse(text) as Report, args);
  }
  const chosen = chooseSetups(workload, args);
  const profileDir = args.profile ? join(CACHE, "profiles") : undefined;
  if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });
  const world: BenchWorld = {
    ...(line ?? { edge: here, laptop: here }),
    profileDir,
  };
  if (args.quiet !== undefined) await waitForQuiet(args.quiet, say);
  const loadBefore = currentLoad();
  const droppedBefore = droppedSegments();
  const rows = await runWorkload(
    workload,
    chosen,
    args.rounds ?? workload.rounds,
    world,
    { seconds: args.seconds },
    say,
    interruption.signal,
  );
  const report = createReport(workload, rows, {
    name: args.as ?? workload.name,
    command: `npm run bench -- ${process.argv.slice(2).filter(isOurs).join(" ")}`,
    baseline:
      args.baseline ?? rows.find((row) => row.samples.length > 0)?.setup ?? "",
    loadBefore,
    dropped: droppedSegments() - droppedBefore,
  });
  if (args.result !== undefined)
    writeFileSync(args.result, JSON.stringify(report));
  else show(report, args);
}

function show(report: Report, args: BenchArguments): void {
  print(`\n${report.name}: ${report.about}\n\n${formatTable(report)}`);
  if (!args.profile) say(`kept in ${keepReport(report)}`);
}

function chooseSetups(workload: Workload, args: BenchArguments): Setup[] {
  const names = args.setups ?? workload.setups;
  return names.map(
    (name) =>
      commandSetups.find((setup) => setup.name === name) ?? findSetup(name),
  );
}

function list(): void {
  print("Set-ups:");
  for (const { name, about, missing } of setups) {
    const lacking = missing();
    print(
      `  ${name.padEnd(18)} ${about}${lacking === undefined ? "" : `  [${lacking}]`}`,
    );
  }
  print("\nWorkloads:");
  for (const { name, about } of workloads)
    print(`  ${name.padEnd(18)} ${about}`);
}

// What a run over a WAN was told by the run around it is not what a person typed.
function isOurs(arg: string, index: number, all: readonly string[]): boolean {
  return arg !== "--result" && all[index - 1] !== "--result";
}
