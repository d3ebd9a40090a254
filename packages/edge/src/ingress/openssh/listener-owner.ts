// Who listens on a loopback port, as the kernel tells everybody: a tunnel must not lead to the VPS's own services.
import { open } from "node:fs/promises";

// Fields of a line of /proc/net/tcp (proc(5)), counted from 0.
const LOCAL_ADDRESS = 1;
const STATE = 3;
const UID = 7;
const LISTENING = "0A";
// 127.0.0.1 in either byte order, and 0.0.0.0: what answers a connection to 127.0.0.1.
const REACHABLE = new Set(["0100007F", "7F000001", "00000000"]);

/**
 * Says which users listen on 127.0.0.1:`port`. Only sockets of IPv4 are looked at: sshd makes one for a forward on
 * 127.0.0.1, and a service that listens on `::` alone is none of its.
 *
 * @returns the users' numbers, empty when nobody listens; undefined when this system does not tell
 */
export async function findListenerUids(
  port: number,
  table = "/proc/net/tcp",
): Promise<ReadonlySet<number> | undefined> {
  const file = await open(table).catch(() => undefined);
  if (!file) return undefined;
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const uids = new Set<number>();
  try {
    let first = true;
    for await (const line of file.readLines()) {
      const fields = line.trim().split(/\s+/);
      // The heading. Listeners come before connections, of which there may be tens of thousands.
      if (first) first = false;
      else if (fields[STATE] !== LISTENING) break;
      else {
        const [address = "", localPort] = fields[LOCAL_ADDRESS]!.split(":");
        if (localPort === wanted && REACHABLE.has(address))
          uids.add(Number(fields[UID]));
      }
    }
  } finally {
    await file.close();
  }
  return uids;
}
