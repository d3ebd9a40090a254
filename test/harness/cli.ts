// The built client, started as a person would start it, but with a home folder of its own.
import type { SpawnOptions } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { run, startProgram, stop, type RunningProgram } from "./processes.ts";

/** The program that `npm run build` makes. */
export const CLI = join(
  import.meta.dirname,
  "../../packages/client/dist/cli.cjs",
);

/** Starts `expose` with exactly this environment. It ends with the test. */
export function startExpose(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: SpawnOptions = {},
): RunningProgram {
  const program = startProgram(process.execPath, [CLI, ...args], {
    ...options,
    env: { ...env },
  });
  onTestFinished(() => stop(program));
  return program;
}

/** Runs `expose` to its end. */
export function runExpose(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: SpawnOptions & { input?: string } = {},
): ReturnType<typeof run> {
  return run(process.execPath, [CLI, ...args], { ...options, env: { ...env } });
}

/** A home folder with nothing in it, and an environment that knows nothing of the person who runs the tests. */
export function useCliHome(): { home: string; env: Record<string, string> } {
  const home = mkdtempSync(join(tmpdir(), "expose-home-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return {
    home,
    env: { HOME: home, PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8" },
  };
}

/** The events that `--json` has printed so far. */
export const eventsOf = (program: {
  stdout: string;
}): Record<string, unknown>[] =>
  program.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
