// The folder that all files of a run are in. It goes with the run.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string | undefined;
let count = 0;

/** The run's own folder, readable for the accounts that servers switch to. */
export function tempFolder(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), "expose-bench-"));
    chmodSync(folder, 0o755);
    process.once("exit", () =>
      rmSync(folder!, { recursive: true, force: true }),
    );
  }
  return folder;
}

/** A path in it that nobody has yet. */
export const tempPath = (name: string): string =>
  join(tempFolder(), `${++count}-${name}`);
