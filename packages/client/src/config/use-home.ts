// For the tests of this folder: a home of the test's own.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A home folder without anything in it. */
export async function useHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "expose-home-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  return home;
}
