// What else this machine does: measurements beside 30,000 sockets of somebody else's tests say nothing.
import { existsSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Runnable processes of the last minute, on average. */
export const currentLoad = (): number => loadavg()[0]!;

/**
 * Segments that the kernel has thrown away since it started because sockets had no memory left. On loopback there is no
 * other way to lose one, and a connection that loses some is ten times slower. 0 where the kernel does not tell.
 */
export function droppedSegments(): number {
  const file = "/proc/net/netstat";
  if (!existsSync(file)) return 0;
  const [names = [], values = []] = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"))
    .map((line) => line.split(" "));
  return ["TCPRcvQDrop", "TCPOFODrop"].reduce(
    (sum, name) => sum + Number(values[names.indexOf(name)] ?? 0),
    0,
  );
}

const POLL_MS = 2_000;
const PATIENCE_MS = 10 * 60_000;

/** Waits until the load has fallen, for ten minutes at most. */
export async function waitForQuiet(
  maxLoad: number,
  say: (line: string) => void,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  if (currentLoad() <= maxLoad) return;
  say(`waiting for the load to fall from ${currentLoad()} to ${maxLoad}`);
  while (currentLoad() > maxLoad && performance.now() < deadline)
    await sleep(POLL_MS);
}
