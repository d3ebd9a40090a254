// Lets one process at a time change a file that several may change, such as two provisioning scripts at once.
import { open, readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const RETRY_MS = 50;
const PATIENCE_MS = 10_000;

/**
 * Runs `act` while holding `FILE.lock`. A lock whose owner no longer runs is taken over.
 *
 * @throws the system's error when the lock cannot be made, an Error with code ELOCKED when another process keeps it
 */
export async function withFileLock<T>(
  file: string,
  act: () => Promise<T>,
): Promise<T> {
  const lock = `${file}.lock`;
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(RETRY_MS)) {
    if (await tryLock(lock)) break;
    await dropStale(lock);
    if (Date.now() > deadline)
      throw Object.assign(
        new Error(`another process holds ${lock}; delete it if none does`),
        { code: "ELOCKED" },
      );
  }
  try {
    return await act();
  } finally {
    await rm(lock, { force: true });
  }
}

async function tryLock(lock: string): Promise<boolean> {
  try {
    const handle = await open(lock, "wx", 0o600);
    try {
      await handle.writeFile(`${process.pid}`);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function dropStale(lock: string): Promise<void> {
  const owner = Number(await readFile(lock, "utf8").catch(() => ""));
  // Empty: its owner is between making it and writing into it, or was killed there; patience decides.
  if (!Number.isInteger(owner) || owner <= 0) return;
  try {
    process.kill(owner, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH")
      await rm(lock, { force: true });
  }
}
