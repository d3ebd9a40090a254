import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { withFileLock } from "./file-lock.ts";
import { writeFileAtomic } from "./write-file.ts";

it("makes a file for its owner alone", async () => {
  const file = join(useFolder(), "users");
  await writeFileAtomic(file, "one");
  expect(readFileSync(file, "utf8")).toBe("one");
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it("keeps the mode of the file that it replaces, and leaves nothing beside it", async () => {
  const folder = useFolder();
  const file = join(folder, "users");
  writeFileSync(file, "one");
  chmodSync(file, 0o640);
  await writeFileAtomic(file, "two");
  expect(readFileSync(file, "utf8")).toBe("two");
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder)).toEqual(["users"]);
});

it("replaces what a symbolic link leads to, not the link", async () => {
  const folder = useFolder();
  writeFileSync(join(folder, "real"), "one");
  symlinkSync("real", join(folder, "users"));
  await writeFileAtomic(join(folder, "users"), "two");
  expect(readlinkSync(join(folder, "users"))).toBe("real");
  expect(readFileSync(join(folder, "real"), "utf8")).toBe("two");
});

it("leaves the old file and nothing else when it cannot be replaced", async () => {
  const folder = useFolder();
  const file = join(folder, "taken");
  // A folder cannot be replaced by a file.
  mkdirSync(file);
  await expect(writeFileAtomic(file, "two")).rejects.toThrow("EISDIR");
  expect(readdirSync(folder)).toEqual(["taken"]);
});

it("lets one at a time hold a lock", async () => {
  const file = join(useFolder(), "users");
  writeFileSync(file, "0");
  // Each reads, pauses and writes: without the lock most of the additions would be lost.
  await Promise.all(
    Array.from({ length: 8 }, () =>
      withFileLock(file, async () => {
        const count = Number(readFileSync(file, "utf8"));
        await new Promise((resolve) => setImmediate(resolve));
        writeFileSync(file, String(count + 1));
      }),
    ),
  );
  expect(readFileSync(file, "utf8")).toBe("8");
});

it("takes a lock over from a process that no longer runs", async () => {
  const file = join(useFolder(), "users");
  // Above the highest number that Linux gives to a process.
  writeFileSync(`${file}.lock`, "4194305");
  expect(await withFileLock(file, () => Promise.resolve("held"))).toBe("held");
});

it("gives the lock back when what held it fails", async () => {
  const folder = useFolder();
  const file = join(folder, "users");
  await expect(
    withFileLock(file, () => Promise.reject(new Error("no"))),
  ).rejects.toThrow("no");
  expect(readdirSync(folder)).toEqual([]);
});

function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-write-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
