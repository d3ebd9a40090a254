import { spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readRunFiles, writeRunFile } from "./run-file.ts";
import { noteOwnPort, watchInspectorPorts } from "./run-ports.ts";

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "expose-run-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "run");
}

const inspector = (port = 4040, pid = process.pid) => ({
  pid,
  port,
  token: "secret",
  startedAt: 1,
  url: `http://127.0.0.1:${port}`,
});

/** The number of a process that is over. */
const deadPid = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

test("a run file is for its owner's eyes alone, and is gone when it is removed", async () => {
  const folder = useFolder();
  const remove = await writeRunFile(folder, inspector());
  const [name = ""] = readdirSync(folder);
  expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(await readRunFiles(folder)).toEqual([inspector()]);
  remove();
  expect(readdirSync(folder)).toEqual([]);
});

test("files of dead processes are ignored and removed", async () => {
  const folder = useFolder();
  await writeRunFile(folder, inspector(4041, deadPid()));
  const remove = await writeRunFile(folder, inspector());
  onTestFinished(remove);
  expect(await readRunFiles(folder)).toEqual([inspector()]);
  expect(readdirSync(folder)).toHaveLength(1);
});

test("what is no run file is left alone", async () => {
  const folder = useFolder();
  const remove = await writeRunFile(folder, inspector());
  onTestFinished(remove);
  writeFileSync(join(folder, "notes.txt"), "mine");
  writeFileSync(join(folder, `inspector-${process.pid}-4042.json`), "{");
  writeFileSync(
    join(folder, `inspector-${process.pid}-4043.json`),
    '{"port":0}',
  );
  expect(await readRunFiles(folder)).toEqual([inspector()]);
  expect(readdirSync(folder)).toHaveLength(4);
});

test("without a folder nothing runs", async () => {
  const folder = useFolder();
  expect(await readRunFiles(folder)).toEqual([]);
  expect([...watchInspectorPorts(folder)()]).toEqual([]);
});

test("the ports are those of living processes and of this one", async () => {
  const folder = useFolder();
  const remove = await writeRunFile(folder, inspector(4041));
  onTestFinished(remove);
  await writeRunFile(folder, inspector(4042, deadPid()));
  const forget = noteOwnPort(4043);
  const ports = watchInspectorPorts(folder);
  expect([...ports()].sort()).toEqual([4041, 4043]);
  forget();
  expect([...ports()]).toEqual([4041]);
});
