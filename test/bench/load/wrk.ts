// Load by wrk: as many requests as go through, over some connections, for some seconds.
import { WRK_SCRIPT } from "../paths.ts";
import { run } from "../../harness/processes.ts";
import type { Target } from "../model.ts";
import { onPath } from "../programs.ts";

/** What wrk saw. */
export interface LoadResult {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
}

/** What to send. */
export interface LoadOptions {
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** A connection of its own for each request. */
  readonly close?: boolean;
  /** POST a body of this size. Absent: GET. */
  readonly bodyBytes?: number;
}

/** Runs wrk. @throws Error when it is missing, or says nothing */
export async function runWrk(
  target: Target,
  options: LoadOptions,
): Promise<LoadResult> {
  if (!onPath("wrk"))
    throw new Error("wrk is missing: apt-get install wrk (Debian, Ubuntu)");
  const { status, stdout, stderr } = await runHere(
    "wrk",
    [
      ...["-t", "1", "-c", String(options.connections)],
      ...["-d", `${options.seconds}s`, "--timeout", "10s"],
      ...["-s", WRK_SCRIPT, "-H", `Host: ${target.host}`],
      ...(options.close ? ["-H", "Connection: close"] : []),
      `http://${target.address}:${target.port}${options.path}`,
    ],
    options.bodyBytes,
  );
  const line = /^BENCH (.*)$/m.exec(stdout)?.[1];
  if (line === undefined)
    throw new Error(`wrk ended with ${status}: ${stdout}${stderr}`);
  return JSON.parse(line) as LoadResult;
}

async function runHere(
  command: string,
  args: readonly string[],
  bodyBytes: number | undefined,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await run(command, args, {
    env: {
      ...process.env,
      ...(bodyBytes === undefined
        ? {}
        : { BENCH_BODY_BYTES: String(bodyBytes) }),
    },
  });
  return { status: code, stdout, stderr };
}
