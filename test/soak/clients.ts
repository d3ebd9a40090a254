// Clients in processes of their own.
import type { SessionOptions, TunnelOptions } from "@expose/client";
import {
  startProgram,
  stop,
  type RunningProgram,
} from "../harness/processes.ts";
import { inRoot } from "./paths.ts";

/** A session of a client, and what it opens. */
export interface ClientSession {
  readonly session: SessionOptions;
  readonly tunnels: readonly TunnelOptions[];
}

/** Starts a client. Resolves when all its tunnels are open. Whoever starts it ends it. */
export async function startClient(
  sessions: readonly ClientSession[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningProgram> {
  const program = startProgram(
    process.execPath,
    [inRoot("test/soak/programs/client.mjs"), JSON.stringify(sessions)],
    { env: { ...process.env, ...env } },
  );
  try {
    await program.waitFor(/^open$/m, 120_000);
  } catch (error) {
    await stop(program);
    throw error;
  }
  return program;
}
