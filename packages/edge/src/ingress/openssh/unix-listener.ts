// Listens on a Unix socket that appears all at once with its final rights, and that only goes away when it is still ours.
import { randomBytes } from "node:crypto";
import { chmod, chown, rename, rm, stat } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { EdgeError } from "../../errors.ts";

/** A socket that is listened on. */
export interface UnixListener {
  /** Stops to accept and removes the socket's file; connections stay open. Idempotent. */
  close(): Promise<void>;
}

/** Files of this form are sockets that were about to be put in place. */
export const TEMPORARY_NAME = /^\.[0-9a-f]{8}$/;

/**
 * Listens on `path`, readable and writable for owner and group (the folder's group) alone. A socket that is there already is
 * replaced without a moment in between, so a second edge can take over from one that is leaving.
 *
 * @throws EdgeError `listen-failed`
 */
export async function listenUnix(
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<UnixListener> {
  // bind(2) makes the file with the umask's rights. libuv removes the path that it bound when the server closes, which by
  // then could be a successor's socket: another reason not to bind the final path.
  const temporary = join(dirname(path), `.${randomBytes(4).toString("hex")}`);
  const server = createServer(onConnection);
  try {
    await listen(server, temporary);
    await chmod(temporary, 0o660);
    await giveToFolderGroup(temporary);
    const { ino } = await stat(temporary);
    await rename(temporary, path);
    return { close: () => closeListener(server, path, ino) };
  } catch (error) {
    server.close();
    await rm(temporary, { force: true });
    throw new EdgeError(
      "listen-failed",
      `The control socket ${basename(path)} cannot be made in ${dirname(path)}: ${(error as Error).message}. The folder must belong to the edge and to the group of the tunnels' account, with mode 2710.`,
      { cause: error },
    );
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      // accept() fails now and then (EMFILE, say); the next one may succeed.
      server.on("error", () => {});
      resolve();
    });
  });
}

// With the setgid bit on the folder this has happened by itself; an edge that is a member of the group may do it as well.
async function giveToFolderGroup(path: string): Promise<void> {
  const { gid } = await stat(dirname(path));
  if ((await stat(path)).gid !== gid) await chown(path, -1, gid);
}

async function closeListener(
  server: Server,
  path: string,
  ino: number,
): Promise<void> {
  // Without waiting: 'close' comes only after the last connection has ended.
  server.close();
  const now = await stat(path).catch(() => undefined);
  // A file that cannot be removed leads nowhere and does no harm.
  if (now?.ino === ino) await rm(path, { force: true }).catch(() => {});
}
