// Asks processes that were started with the probe what they hold.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { inRoot } from "./paths.ts";

/** What a process holds once garbage is collected; sizes in bytes. */
export interface ProbeFigures {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly descriptors: number;
  /** Active handles and requests of the event loop by type: sockets, timers and the like. */
  readonly resources: Readonly<Record<string, number>>;
}

/** See the file's head. */
export interface Probe {
  /** For programs that are to be asked. */
  readonly env: Readonly<Record<string, string>>;
  ask(pid: number): Promise<ProbeFigures>;
  /** Removes its folder. */
  close(): void;
}

const PATIENCE_MS = 20_000;

/** Makes one. Whoever makes it closes it. */
export function createProbe(): Probe {
  const folder = mkdtempSync(join(tmpdir(), "expose-probe-"));
  return {
    env: {
      EXPOSE_PROBE_DIR: folder,
      NODE_OPTIONS: `--import ${pathToFileURL(inRoot("test/soak/programs/probe.mjs")).href}`,
    },
    async ask(pid) {
      const file = join(folder, `${pid}.json`);
      rmSync(file, { force: true });
      process.kill(pid, "SIGUSR2");
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        try {
          return JSON.parse(readFileSync(file, "utf8")) as ProbeFigures;
        } catch (error) {
          if (performance.now() > deadline) throw error;
        }
        await sleep(10);
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs `start` with the probe's environment for whatever it starts. */
export async function withProbe<T>(
  probe: Probe,
  start: () => Promise<T>,
): Promise<T> {
  const before = { ...process.env };
  Object.assign(process.env, probe.env);
  try {
    return await start();
  } finally {
    for (const name of Object.keys(probe.env))
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
  }
}
