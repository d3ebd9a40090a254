// Whose process is at the other end of a connection over loopback. Loopback is shared by all users of a machine, and what
// is given without a token (the page's cookie above all) is for one of them.
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";

/**
 * Finds out whether a connection comes from this user or from root, who can read the run file anyway. Linux only: other
 * systems do not say, and there nobody is kept out.
 *
 * @returns false only when the connection is known to be somebody else's
 */
export async function isOwnConnection(
  socket: Pick<Socket, "remotePort" | "localPort" | "remoteFamily">,
): Promise<boolean> {
  const own = process.getuid?.();
  if (process.platform !== "linux" || own === undefined) return true;
  const { remotePort, localPort } = socket;
  if (remotePort === undefined || localPort === undefined) return false;
  const file = socket.remoteFamily === "IPv6" ? "tcp6" : "tcp";
  let table: string;
  try {
    table = await readFile(`/proc/self/net/${file}`, "utf8");
  } catch {
    // /proc is not there, or is hidden from us (a sandbox): as on other systems.
    return true;
  }
  const uid = findOwner(table, remotePort, localPort);
  return uid === undefined || trustedUsers(own, process.env).has(uid);
}

/** This user, root, and whoever became root by sudo(8) to start us. */
export const trustedUsers = (
  own: number,
  env: Readonly<Record<string, string | undefined>>,
): ReadonlySet<number> =>
  new Set([
    own,
    0,
    ...(own === 0 && env["SUDO_UID"] ? [Number(env["SUDO_UID"])] : []),
  ]);

/**
 * Reads the table of sockets (proc(5)).
 *
 * @returns the user of the socket that is bound to `local` and connected to `remote`; undefined when there is none, as
 * when it was opened in another network namespace and carried here
 */
export function findOwner(
  table: string,
  local: number,
  remote: number,
): number | undefined {
  const [from, to] = [hex(local), hex(remote)];
  for (const line of table.split("\n")) {
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid …
    const columns = line.trim().split(/\s+/);
    if (columns[1]?.endsWith(`:${from}`) && columns[2]?.endsWith(`:${to}`))
      return Number(columns[7]);
  }
  return undefined;
}

const hex = (port: number): string =>
  port.toString(16).toUpperCase().padStart(4, "0");
