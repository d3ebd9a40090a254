// Many requests to one tunnel in the same moment, each on a connection of its own, as visitors of a page that was just
// linked somewhere.
import { createServer } from "node:http";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { stop } from "../harness/processes.ts";
import type { World } from "../harness/worlds.ts";
import { startClient } from "./clients.ts";

/** What came of it. */
export interface BurstResult {
  /** How many got each status; what the socket said where there was none. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

// Below the cap of a visitor.
const PER_ADDRESS = 250;

/** Runs it. */
export async function runBurst(
  world: World,
  requests: number,
): Promise<BurstResult> {
  const server = createServer((_, response) => response.end("ok"));
  server.listen(0, "127.0.0.1", 4_096);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = await startClient([
    { session: world.session(), tunnels: [{ name: "burst", port }] },
  ]);
  try {
    const { host } = new URL(world.urlOf("burst"));
    const answers = await Promise.all(
      Array.from({ length: requests }, (_, i) =>
        ask(
          world.httpPort,
          host,
          `127.30.0.${1 + Math.floor(i / PER_ADDRESS)}`,
        ),
      ),
    );
    const outcomes: Record<string, number> = {};
    for (const { outcome } of answers)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
    return {
      outcomes,
      p50Ms: Math.round(times[Math.floor(times.length * 0.5)]!),
      p99Ms: Math.round(times[Math.floor(times.length * 0.99)]!),
    };
  } finally {
    await stop(client);
    server.closeAllConnections();
    server.close();
  }
}

function ask(
  port: number,
  host: string,
  localAddress: string,
): Promise<{ outcome: string; ms: number }> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    let text = "";
    let failure = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message;
    });
    socket.on("close", () =>
      resolve({
        outcome: /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? (failure || "nothing"),
        ms: performance.now() - startedAt,
      }),
    );
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
  });
}
