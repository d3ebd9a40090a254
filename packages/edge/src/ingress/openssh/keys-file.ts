// The file through which the edge tells sshd's AuthorizedKeysCommand (infra/sshd/authorized-keys) whose keys are whose.
import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { EdgeError } from "../../errors.ts";

/** One key and what sshd has to know of its identity. */
export interface KeysFileEntry {
  readonly type: string;
  /** In base64. */
  readonly blob: string;
  readonly socketName: string;
  readonly directPorts: readonly number[];
}

const HEADER =
  "# Written by expose-edge from the users file; changes here are lost.\n";

/** Gives the file's text: `TYPE BLOB SOCKET PORTS` for each key. Entries that could not be read back are a bug and throw. */
export function formatKeysFile(entries: Iterable<KeysFileEntry>): string {
  let text = HEADER;
  for (const { type, blob, socketName, directPorts } of entries) {
    const fields = [type, blob, socketName, directPorts.join(",") || "-"];
    if (fields.some((field) => !/^[^\s#][^\s]*$/.test(field)))
      throw new Error("A field of a key holds white space.");
    text += `${fields.join(" ")}\n`;
  }
  return text;
}

/**
 * Takes keys out of the file while no edge runs that would: sshd asks the file alone.
 *
 * @param blobs the keys in base64
 * @returns whether there was anything to take out; false as well when there is no such file
 * @throws EdgeError `state-unwritable` when the keys are still in it
 */
export async function removeFromKeysFile(
  path: string,
  blobs: ReadonlySet<string>,
): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw unwritable(path, error);
  }
  const lines = text.split("\n");
  const left = lines.filter((line) => !blobs.has(line.split(" ")[1] ?? ""));
  if (left.length === lines.length) return false;
  await writeKeysFile(path, left.join("\n"));
  return true;
}

/**
 * Replaces the file as a whole: sshd may read it at any moment, and sees the old one or the new one. Whoever may enter the
 * folder can read it (public keys and the identities' names), nobody but the edge can write it.
 *
 * @throws EdgeError `state-unwritable`
 */
export async function writeKeysFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(temporary, "wx", 0o644);
    try {
      // The umask may have taken away what the tunnels' account needs.
      await file.chmod(0o644);
      await file.writeFile(text);
      // After a power cut there must not be an empty file, which would refuse every client for good.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw unwritable(path, error);
  }
}

const unwritable = (path: string, error: unknown): EdgeError =>
  new EdgeError(
    "state-unwritable",
    `The file of keys for sshd, ${path}, cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)}); removed keys would still pass sshd. Mend the folder or free the disk, then reload.`,
    { cause: error },
  );
