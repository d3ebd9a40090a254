// Replaces a file in one step: whoever reads it sees the old content or the new one, never half of it.
import { randomBytes } from "node:crypto";
import {
  open,
  realpath,
  rename,
  rm,
  stat,
  type FileHandle,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes `content` to a new file beside the old one, flushes it to the disk and renames it into place. Mode and owner
 * of the old file are kept; a symbolic link is followed, not replaced.
 *
 * @param mode for a file that does not exist yet
 * @throws the system's error; the old file is then untouched, and nothing is left beside it
 */
export async function writeFileAtomic(
  file: string,
  content: string,
  mode = 0o600,
): Promise<void> {
  const target = await realpath(file).catch(() => file);
  const folder = dirname(target);
  const old = await stat(target).catch(() => undefined);
  const temporary = join(
    folder,
    `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`,
  );
  const handle = await open(temporary, "wx", 0o600);
  try {
    try {
      // Root may write files that somebody else reads: the edge does not run as root.
      const { uid, gid } = old ?? (await stat(folder));
      const own = await handle.stat();
      if (process.getuid?.() === 0 && (own.uid !== uid || own.gid !== gid))
        await handle.chown(uid, gid);
      await handle.chmod(old ? old.mode & 0o7777 : mode);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  // The rename itself is in the folder, which has a cache of its own.
  await withFolder(folder, (handle) => handle.sync());
}

async function withFolder(
  folder: string,
  act: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await act(handle);
  } finally {
    await handle.close();
  }
}
