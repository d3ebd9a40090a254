// The folder of the control sockets: checked before it is trusted, and cleaned of what an edge before us left.
import { lstat, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError } from "../../errors.ts";
import { TEMPORARY_NAME } from "./unix-listener.ts";

const WRITABLE_BY_GROUP = 0o020;
const ANYTHING_FOR_OTHERS = 0o007;

/**
 * Makes the folder if it is missing and refuses one that others can enter or the tunnels' account can write to: connecting
 * to a socket in it means being that identity, and making one means being the edge.
 *
 * @throws EdgeError `state-unwritable`
 */
export async function prepareControlDir(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o710 });
    const { mode } = await stat(path);
    if (mode & (WRITABLE_BY_GROUP | ANYTHING_FOR_OTHERS))
      throw new Error(
        `its mode ${(mode & 0o7777).toString(8)} lets others in, and whoever can reach a control socket is taken for its identity; chmod 2710 it`,
      );
  } catch (error) {
    throw new EdgeError(
      "state-unwritable",
      `The folder for control sockets, ${path}, cannot be used: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}

/** Removes sockets that nothing needs: those of identities that are gone, and half-made ones. */
export async function removeStaleSockets(
  path: string,
  wanted: ReadonlySet<string>,
): Promise<void> {
  for (const name of await readdir(path)) {
    if (wanted.has(name)) continue;
    if (!name.endsWith(".sock") && !TEMPORARY_NAME.test(name)) continue;
    const file = join(path, name);
    const found = await lstat(file).catch(() => undefined);
    if (found?.isSocket()) await rm(file, { force: true });
  }
}
