// Several processes at one history, and what is left of it when one of them is killed in the middle.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { openHistoryFile } from "./history-file.ts";
import { makeRow } from "./testing/make-row.ts";
import { buildPrograms, type Programs } from "./testing/use-programs.ts";

let programs: Programs;
beforeAll(async () => {
  programs = await buildPrograms("processes");
});

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "expose-history-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Writer {
  readonly child: ChildProcess;
  /** What it said was on disk. */
  readonly ids: string[];
  readonly lines: string[];
  readonly exited: Promise<unknown>;
  /** Resolves when it has written so many. */
  written(count: number): Promise<void>;
}

function startWriter(file: string, count: number, bodyBytes: number): Writer {
  const child = spawn(
    process.execPath,
    [programs.writer, file, String(count), String(bodyBytes)],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const ids: string[] = [];
  const lines: string[] = [];
  let wanted = Infinity;
  let tell = (): void => {};
  createInterface(child.stdout!).on("line", (line) => {
    lines.push(line);
    if (line.startsWith("wrote ")) ids.push(line.slice(6));
    if (ids.length >= wanted) tell();
  });
  child.stderr!.on("data", (text) => lines.push(String(text)));
  const exited = once(child, "close");
  return {
    ...{ child, ids, lines, exited },
    async written(enough) {
      wanted = enough;
      if (ids.length >= enough) return;
      await Promise.race([
        new Promise<void>((resolve) => {
          tell = resolve;
        }),
        exited,
      ]);
    },
  };
}

const open = (file: string, movedAside: string[] = []) =>
  openHistoryFile(
    {
      file,
      keepSecrets: false,
      maxBytes: 64 * 1_024 * 1_024,
      maxExchanges: 1_000_000,
      maxAgeMs: 86_400_000,
      patienceMs: 20_000,
    },
    (path) => movedAside.push(path),
  );

test(
  "two write and a third reads at the same time, and nothing is lost",
  { timeout: 60_000 },
  async () => {
    const file = join(useFolder(), "history.sqlite");
    const writers = [
      startWriter(file, 200, 2_000),
      startWriter(file, 200, 2_000),
    ];
    const history = open(file);
    let over = false;
    const all = Promise.all(writers.map(({ exited }) => exited)).then(() => {
      over = true;
    });
    let largest = 0;
    while (!over) {
      const found = history.list(1_000, undefined).length;
      // Whoever reads sees whole writes, and none that goes away again.
      expect(found % 5).toBe(0);
      expect(found).toBeGreaterThanOrEqual(largest);
      largest = found;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await all;
    for (const { lines } of writers) expect(lines.at(-1)).toBe("done");
    expect(history.list(1_000, undefined).map(({ id }) => id)).toEqual(
      writers
        .flatMap(({ ids }) => ids)
        .sort()
        .reverse(),
    );
  },
);

test(
  "what was on disk stays there when its writer is killed, and others go on",
  { timeout: 60_000 },
  async () => {
    const folder = useFolder();
    const file = join(folder, "history.sqlite");
    const movedAside: string[] = [];
    const known: string[] = [];
    for (let round = 0; round < 6; round++) {
      const writer = startWriter(file, 100_000, 20_000);
      await writer.written(5 + round * 3);
      writer.child.kill("SIGKILL");
      await writer.exited;
      known.push(...writer.ids);
      const history = open(file, movedAside);
      const row = makeRow();
      // The killed one had the turn, most likely.
      const startedAt = performance.now();
      history.write([row]);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      known.push(row.exchange.id);
      const found = new Set(
        history.list(100_000, undefined).map(({ id }) => id),
      );
      expect(known.filter((id) => !found.has(id))).toEqual([]);
      expect(history.bodies(known[0]!)!.response).toHaveLength(20_000);
    }
    expect(movedAside).toEqual([]);
    expect(
      readdirSync(folder).filter((name) => !name.includes(".turn.")),
    ).toEqual(["history.sqlite"]);
  },
);
