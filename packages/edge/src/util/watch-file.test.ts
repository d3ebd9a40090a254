import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { watchFile } from "./watch-file.ts";

it.each<[string, (file: string) => void]>([
  ["written in place", (file) => writeFileSync(file, "two")],
  [
    "replaced by renaming",
    (file) => {
      writeFileSync(`${file}.new`, "two");
      renameSync(`${file}.new`, file);
    },
  ],
  ["removed", (file) => rmSync(file)],
])("calls back when the file was %s", async (_, change) => {
  const file = join(useFolder(), "users");
  writeFileSync(file, "one");
  const calls = useWatch(file);
  await calls.next();
  change(file);
  await expect(calls.next()).resolves.toBeUndefined();
});

it("goes on watching after a replacement", async () => {
  const file = join(useFolder(), "users");
  writeFileSync(file, "one");
  const calls = useWatch(file);
  await calls.next();
  for (const text of ["two", "three"]) {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
    await expect(calls.next()).resolves.toBeUndefined();
  }
});

it("notices a file in a folder that did not exist", async () => {
  const folder = join(useFolder(), "later");
  const calls = useWatch(join(folder, "users"));
  await calls.next();
  mkdirSync(folder);
  writeFileSync(join(folder, "users"), "one");
  await expect(calls.next()).resolves.toBeUndefined();
});

it("notices that a symbolic link in its path leads elsewhere", async () => {
  const folder = useFolder();
  for (const version of ["1", "2"]) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, "users"), version);
  }
  symlinkSync("1", join(folder, "current"));
  symlinkSync(join("current", "users"), join(folder, "users"));
  const calls = useWatch(join(folder, "users"));
  await calls.next();
  symlinkSync("2", join(folder, "next"));
  renameSync(join(folder, "next"), join(folder, "current"));
  await expect(calls.next()).resolves.toBeUndefined();
});

it("calls nobody back after it was closed", async () => {
  const file = join(useFolder(), "users");
  writeFileSync(file, "one");
  const calls = useWatch(file);
  const other = useWatch(file);
  await Promise.all([calls.next(), other.next()]);
  calls.close();
  const heard = calls.count;
  writeFileSync(file, "two");
  await other.next();
  // One more, so that the closed one has had all the time that a poll takes.
  rmSync(file);
  await other.next();
  expect(calls.count).toBe(heard);
});

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-watch-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function useWatch(file: string) {
  let count = 0;
  let taken = 0;
  let wake: (() => void) | undefined;
  const watcher = watchFile(file, () => {
    count++;
    wake?.();
  });
  onTestFinished(() => watcher.close());
  return {
    close: () => watcher.close(),
    get count() {
      return count;
    },
    async next(): Promise<void> {
      while (count === taken)
        await new Promise<void>((resolve) => (wake = resolve));
      taken = count;
    },
  };
}
