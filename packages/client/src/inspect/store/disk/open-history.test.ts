// The history behind its worker: what it is asked is answered, and what goes wrong with it is said once.
import { execFile } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import type { StoredExchange } from "../../capture.ts";
import { openHistory, type HistoryOptions } from "./open-history.ts";
import { makeRow } from "./testing/make-row.ts";
import { buildPrograms, type Programs } from "./testing/use-programs.ts";

let programs: Programs;
beforeAll(async () => {
  programs = await buildPrograms("worker");
});

function useHistory(options: Partial<HistoryOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "expose-history-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const warnings: string[] = [];
  const file = join(folder, "history.sqlite");
  const history = openHistory({
    file,
    keepSecrets: false,
    maxBytes: 16 * 1_024 * 1_024,
    maxExchanges: 10_000,
    maxAgeMs: 86_400_000,
    workerFile: programs.worker,
    warn: (sentence) => warnings.push(sentence),
    ...options,
  });
  onTestFinished(() => history.close());
  return { history, file, warnings };
}

function makeRecord(body = "", request = ""): StoredExchange {
  const { exchange } = makeRow();
  return {
    exchange,
    // Small ones are pieces of Node's pool.
    bodies: { request: Buffer.from(request), response: Buffer.from(body) },
    messages: [
      {
        ...{ index: 0, direction: "in", atMs: 1, type: "text" },
        ...{ bytes: 2, keptBytes: 2, data: "hi", encoding: "utf8" },
      },
    ],
  };
}

test("what was handed over is found at once, though it is written later", async () => {
  const { history } = useHistory();
  const record = makeRecord("out", "in");
  history.write([record, makeRecord()]);
  const { id } = record.exchange;
  expect(await history.get(id)).toMatchObject({
    id,
    redacted: ["authorization"],
  });
  const bodies = (await history.bodies(id))!;
  expect([String(bodies.request), String(bodies.response)]).toEqual([
    "in",
    "out",
  ]);
  expect(await history.messages(id)).toEqual(record.messages);
  expect(await history.list(10, undefined)).toHaveLength(2);
  expect(history.exchanges).toBe(2);
  expect(history.bytes).toBeGreaterThan(0);
  await history.clear();
  expect(await history.get(id)).toBeUndefined();
  expect(history.exchanges).toBe(0);
});

test("closing writes what is left, and the next client finds it", async () => {
  const { history, file } = useHistory();
  history.write([makeRecord()]);
  await history.close();
  await history.close();
  const { history: next } = useHistory({ file });
  expect(await next.list(10, undefined)).toHaveLength(1);
});

test("a folder that cannot be written is said once, and the rest goes on in memory", async () => {
  const { history, warnings } = useHistory({
    // Below a file there is no folder.
    file: "/dev/null/expose/history.sqlite",
  });
  for (let i = 0; i < 3; i++) {
    history.write([makeRecord()]);
    expect(await history.list(10, undefined)).toEqual([]);
  }
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(
    /in memory only: .*ENOTDIR.*The tunnel goes on\./s,
  );
  expect(history.failure).toContain("cannot be used");
});

test("a file that another process keeps is tried again, and given up after a while", async () => {
  const { history, file, warnings } = useHistory({ patienceMs: 30 });
  const me = await ownerText();
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(`${file}.me`, me);
  linkSync(`${file}.me`, `${file}.turn`);
  history.write([makeRecord()]);
  expect(await history.list(10, undefined)).toEqual([]);
  expect(history.failure).toBeUndefined();
  // It was only busy.
  rmSync(`${file}.turn`);
  history.write([makeRecord()]);
  expect(await history.list(10, undefined)).not.toEqual([]);
  linkSync(`${file}.me`, `${file}.turn`);
  for (let i = 0; i < 4; i++) {
    history.write([makeRecord()]);
    await history.list(10, undefined);
  }
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("another process keeps it");
});

test("a turn whose owner is dead is taken over", async () => {
  const { history, file, warnings } = useHistory();
  const owner = JSON.parse(await ownerText()) as Record<string, unknown>;
  // A number that nobody has, and one that somebody else has by now.
  for (const dead of [{ pid: 4_194_304 }, { startedAt: "1" }]) {
    writeFileSync(`${file}.turn`, JSON.stringify({ ...owner, ...dead }));
    history.write([makeRecord()]);
    expect(await history.list(10, undefined)).not.toEqual([]);
  }
  expect(warnings).toEqual([]);
});

test("what somebody left who was killed while he waited is cleared away", async () => {
  const { history, file } = useHistory();
  const [old, fresh] = [`${file}.turn.1.abc`, `${file}.turn.2.def`];
  for (const path of [old, fresh]) writeFileSync(path, "{}");
  utimesSync(old, 0, 0);
  history.write([makeRecord()]);
  await history.list(1, undefined);
  expect([existsSync(old), existsSync(fresh)]).toEqual([false, true]);
});

test("a worker that dies is said once", async () => {
  const broken = join(mkdtempSync(join(tmpdir(), "expose-history-")), "w.cjs");
  onTestFinished(() => rmSync(join(broken, ".."), { recursive: true }));
  writeFileSync(broken, "throw new Error('no such thing')");
  const { history, warnings } = useHistory({ workerFile: broken });
  history.write([makeRecord()]);
  expect(await history.list(10, undefined)).toEqual([]);
  history.write([makeRecord()]);
  expect(await history.get("x")).toBeUndefined();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("no such thing");
});

// A file system of a megabyte, and one that cannot be written to, in a mount namespace of their own.
test.each([
  ["is full", "size=1m", "the disk is full"],
  ["is read-only", "size=1m,ro", "EROFS|read-only"],
])(
  "a disk that %s ends the writing with a reason",
  async (_how, mount, reason) => {
    const folder = mkdtempSync(join(tmpdir(), "expose-full-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { stdout } = await promisify(execFile)("unshare", [
      ...["--map-root-user", "--mount", "sh", "-c"],
      'mount -t tmpfs -o "$1" tmpfs "$2" && exec "$3" "$4" "$5" "$2/history.sqlite"',
      ...[
        "sh",
        mount,
        folder,
        process.execPath,
        programs.keeper,
        programs.worker,
      ],
    ]);
    const lines = stdout.trim().split("\n");
    expect(lines.filter((line) => line.startsWith("warning"))).toHaveLength(1);
    expect(stdout).toMatch(new RegExp(`in memory only: .*(${reason})`));
    // The program that writes lives on.
    expect(lines.at(-1)).toBe("closed");
  },
);

// What a living process writes into its lock: caught in the act.
async function ownerText(): Promise<string> {
  const { createTurns } = await import("./turn.ts");
  const { readFileSync } = await import("node:fs");
  const folder = mkdtempSync(join(tmpdir(), "expose-turn-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "x");
  return createTurns(file).take(() => readFileSync(`${file}.turn`, "utf8"));
}
