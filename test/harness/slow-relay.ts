// A TCP relay with a long way through it, that counts how often the two ends waited for one another.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** See the file's head. */
export interface SlowRelay {
  readonly port: number;
  /**
   * Round trips of the newest connection so far: the longest chain of bytes from the client, bytes from the server that
   * were sent when those had arrived, and so on. TCP's own is not among them.
   */
  readonly roundTrips: number;
}

/**
 * Starts a relay to a port of loopback; it ends with the test.
 *
 * @param delayMs one way. What an end sends within this time counts as sent at once, however long it really took.
 */
export async function startSlowRelay(
  targetPort: number,
  delayMs: number,
): Promise<SlowRelay> {
  const sockets = new Set<Socket>();
  let heardByClient = 0;
  let heardByServer = 0;
  const server = createServer((near) => {
    heardByClient = 0;
    heardByServer = 0;
    const far = connect(targetPort, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
    }
    near.on("data", (chunk) => {
      const trip = heardByClient + 1;
      later(() => {
        heardByServer = Math.max(heardByServer, trip);
        far.write(chunk);
      });
    });
    far.on("data", (chunk) => {
      const trip = heardByServer;
      later(() => {
        heardByClient = Math.max(heardByClient, trip);
        near.write(chunk);
      });
    });
    near.on("close", () => later(() => far.destroy()));
    far.on("close", () => later(() => near.destroy()));
  });
  // Timers of one length fire in the order in which they were set.
  const later = (action: () => void): void =>
    void setTimeout(action, delayMs).unref();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  });
  return {
    port: (server.address() as AddressInfo).port,
    get roundTrips() {
      return heardByClient;
    },
  };
}
