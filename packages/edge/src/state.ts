// What has to outlive a restart of the edge: its host key and the secret behind resume tokens.
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EdgeError } from "./errors.ts";

const SECRET_BYTES = 32;

/**
 * Reads the secret of the state directory, or makes one.
 *
 * @throws EdgeError `state-unwritable`
 */
export async function loadSecret(stateDir: string): Promise<Buffer> {
  const text = await loadOrCreate(
    join(stateDir, "resume-secret"),
    () => `${randomBytes(SECRET_BYTES).toString("base64")}\n`,
  );
  const secret = Buffer.from(text, "base64");
  if (secret.length >= SECRET_BYTES) return secret;
  throw new EdgeError(
    "state-unwritable",
    `${join(stateDir, "resume-secret")} is damaged; remove it, and a new one is made (random names of clients that are away are then lost).`,
  );
}

/**
 * Reads a file that is private to the edge; a missing one is made first (mode 0600, its folder 0700).
 *
 * @throws EdgeError `state-unwritable`
 */
export async function loadOrCreate(
  file: string,
  make: () => string,
): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (!isMissing(error)) throw unwritable(file, error);
  }
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    // Another edge on the same state directory may be a moment faster: then its file counts.
    await writeFile(file, make(), { mode: 0o600, flag: "wx" }).catch(
      (error: unknown) => {
        if (!(
          error instanceof Error &&
          "code" in error &&
          error.code === "EEXIST"
        ))
          throw error;
      },
    );
    return await readFile(file, "utf8");
  } catch (error) {
    throw unwritable(file, error);
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

const unwritable = (file: string, cause: unknown): EdgeError =>
  new EdgeError(
    "state-unwritable",
    `${file} cannot be read or written (${cause instanceof Error ? cause.message : String(cause)}); set state-dir to a folder of the account that the edge runs as.`,
    { cause },
  );
