// Runs the bench at one end of an emulated line: starts the line, and itself again inside of it.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { WanSpec } from "../model.ts";
import { createPlace, type Place } from "../place.ts";
import { LINK_PROGRAM } from "../paths.ts";
import { missingPrograms } from "../programs.ts";
import { startProgram, stop } from "../../harness/processes.ts";
import { tempPath } from "../temp-folder.ts";

/** How the run inside finds the other end; in the environment of that run. */
export const INSIDE = "EXPOSE_BENCH_INSIDE";

const QUEUE_MS = 100;
const NEAR = "10.97.0.1";
const FAR = "10.97.0.2";

/** What a WAN takes that this machine has not, undefined when all is there. */
export function missingForWan(): string | undefined {
  if (process.getuid?.() !== 0) return "namespaces need root";
  return missingPrograms("python3", "nsenter", "ip");
}

/** Runs the bench with `args` and a file for its results. @returns what it wrote into that file */
export async function runInside(
  spec: WanSpec,
  args: readonly string[],
): Promise<string> {
  const link = startProgram(
    "python3",
    [
      LINK_PROGRAM,
      ...[spec.delayMs, spec.mbitPerS, spec.mtu, QUEUE_MS].map(String),
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  try {
    const [, near, far] = await link.waitFor(/^up (\d+) (\d+)$/m);
    const files = `/proc/${link.child.pid}/fd`;
    const result = tempPath("result.json");
    const inside = startProgram(
      "nsenter",
      [
        `--net=${files}/${near}`,
        ...[process.execPath, process.argv[1]!, ...args, "--result", result],
      ],
      {
        stdio: ["ignore", "inherit", "inherit"],
        env: { ...process.env, [INSIDE]: `${link.child.pid} ${files}/${far}` },
      },
    );
    const pass = (): void => inside.kill("SIGINT");
    process.once("SIGINT", pass);
    const [status] = (await once(inside.child, "close")) as [number | null];
    process.off("SIGINT", pass);
    if (status !== 0)
      throw new Error(`the run over a WAN ended with ${status}`);
    return readFileSync(result, "utf8");
  } finally {
    await stop(link);
  }
}

/** The two ends, when this process is inside; undefined when it is not. */
export function openLine():
  { edge: Place; laptop: Place; setLine: (up: boolean) => void } | undefined {
  const [pid, file] = process.env[INSIDE]?.split(" ") ?? [];
  if (pid === undefined || file === undefined) return undefined;
  return {
    edge: createPlace(NEAR),
    laptop: createPlace(FAR, ["nsenter", `--net=${file}`]),
    setLine: (up) => void process.kill(Number(pid), up ? "SIGUSR2" : "SIGUSR1"),
  };
}
