// A TCP relay between a client and its server that can break in the ways in which networks break.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** See the file's head. */
export interface Relay {
  readonly port: number;
  /** Connections that pass through it right now. */
  readonly connections: number;
  /**
   * From now on nothing passes, in either direction, and nobody is told: bytes are lost, new connections get no answer.
   * What TCP would send again after a real cut is lost here too, so connections from before never recover.
   */
  cutSilently(): void;
  /** The network is back, for new connections. */
  restore(): void;
  /** Resets every connection. */
  reset(): void;
  close(): Promise<void>;
}

/** Starts a relay on a free port of loopback that leads to `target`. */
export async function startRelay(target: {
  host: string;
  port: number;
}): Promise<Relay> {
  const pairs = new Set<{ near: Socket; far: Socket; dead: boolean }>();
  let cut = false;
  const server = createServer((near) => {
    near.setNoDelay(true);
    near.on("error", () => {});
    const far = connect(target.port, target.host);
    far.setNoDelay(true);
    far.on("error", () => near.destroy());
    const pair = { near, far, dead: cut };
    pairs.add(pair);
    near.on("data", (chunk) => void (pair.dead || far.write(chunk)));
    far.on("data", (chunk) => void (pair.dead || near.write(chunk)));
    near.on("end", () => void (pair.dead || far.end()));
    far.on("end", () => void (pair.dead || near.end()));
    near.on("close", () => {
      pairs.delete(pair);
      if (!pair.dead) far.destroy();
    });
    far.on("close", () => void (pair.dead || near.destroy()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return pairs.size;
    },
    cutSilently() {
      cut = true;
      for (const pair of pairs) pair.dead = true;
    },
    restore() {
      cut = false;
    },
    reset() {
      for (const { near, far } of pairs) {
        near.resetAndDestroy();
        far.resetAndDestroy();
      }
    },
    async close() {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      server.close();
      await once(server, "close");
    },
  };
}
