// Notices that a file has changed, however it was changed.
import { watch, type FSWatcher } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";

/** A watch that is under way. */
export interface FileWatcher {
  /** Nothing is called back afterwards. Idempotent. */
  close(): void;
}

/** How soon a change is noticed. */
export interface WatchFileOptions {
  /** Quiet after the last change before it is reported, so that a file is not read half written. Default: 100. */
  readonly quietMs?: number;
  /** A file that never comes to rest is reported this often. Default: 300. */
  readonly maxDelayMs?: number;
  /** Between two looks at the file. Default: 500. */
  readonly pollMs?: number;
}

/**
 * Calls back after the file was written, replaced, removed or made, and once soon after the start, for what changed
 * before the watch stood. Does not keep the process alive.
 *
 * Its folder is watched, because a file that is replaced by renaming another takes its own watch with it; and it is
 * looked at twice a second, because that folder may not exist yet, may be reached through a symbolic link, lie on a
 * network, or the system may have no watches left.
 */
export function watchFile(
  file: string,
  onChange: () => void,
  options: WatchFileOptions = {},
): FileWatcher {
  const { quietMs = 100, maxDelayMs = 300, pollMs = 500 } = options;
  const path = resolve(file);
  let watcher: FSWatcher | undefined;
  let closed = false;
  let firstAt = 0;
  let quiet: NodeJS.Timeout | undefined;
  let seen: string | undefined;
  let looking = false;

  function changed(): void {
    if (closed) return;
    const now = performance.now();
    if (quiet === undefined) firstAt = now;
    clearTimeout(quiet);
    quiet = setTimeout(
      () => {
        quiet = undefined;
        onChange();
      },
      Math.max(0, Math.min(quietMs, firstAt + maxDelayMs - now)),
    );
    quiet.unref();
  }

  function watchFolder(): void {
    try {
      watcher = watch(dirname(path), { persistent: false }, (_, name) => {
        if (name === null || name === basename(path)) changed();
      });
      // Looking at the file goes on, so nothing is lost but speed.
      watcher.on("error", () => {
        watcher?.close();
        watcher = undefined;
      });
    } catch {
      watcher = undefined;
    }
  }

  async function look(): Promise<void> {
    // A network file system may take longer than the time between two looks.
    if (looking) return;
    looking = true;
    const now = await fileState(path);
    looking = false;
    if (now !== seen) changed();
    seen = now;
  }

  watchFolder();
  void look();
  const poll = setInterval(() => void look(), pollMs);
  poll.unref();
  return {
    close() {
      closed = true;
      clearInterval(poll);
      clearTimeout(quiet);
      watcher?.close();
    },
  };
}

async function fileState(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
