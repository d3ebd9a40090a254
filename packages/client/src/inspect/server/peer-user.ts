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
  if (socket.remotePort === undefined) return false;
  const uid = await peerUser(socket);
  return uid === undefined || trustedUsers(own, process.env).has(uid);
}

/** @returns the user at the other end, as far as the system says */
export async function peerUser({
  remotePort,
  localPort,
  remoteFamily,
}: Parameters<typeof isOwnConnection>[0]): Promise<number | undefined> {
  // Whoever dials ::ffff:127.0.0.1 is seen as 127.0.0.1 here, and listed with the others of IPv6.
  const files = remoteFamily === "IPv6" ? ["tcp6"] : ["tcp", "tcp6"];
  const tables = await Promise.all(
    files.map((file) =>
      // Not there (no IPv6, no /proc), or hidden from us (a sandbox): as on other systems.
      readFile(`/proc/self/net/${file}`, "utf8").catch(() => ""),
    ),
  );
  return findOwner(tables.join("\n"), remotePort!, localPort!);
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
