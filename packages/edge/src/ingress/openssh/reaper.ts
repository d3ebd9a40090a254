// The line to infra/sshd/session-reaper, which ends SSH connections that the edge cannot see for want of a control session.
import type { Socket } from "node:net";
import { join } from "node:path";
import { listenUnix } from "./unix-listener.ts";

/** Name of the socket; those of identities end in `.sock`. */
const REAPER_SOCKET = "reaper";

/** The edge's end of the line. */
export interface Reaper {
  /** Whether a reaper listens. */
  readonly connected: boolean;
  /** Has SSH connections ended that are that old and have no control session. 0 spares none. */
  sweep(minAgeS: number): void;
  close(): Promise<void>;
}

/** Waits for the reaper in `controlDir`. @throws EdgeError `listen-failed` */
export async function listenForReaper(controlDir: string): Promise<Reaper> {
  const sockets = new Set<Socket>();
  const listener = await listenUnix(
    join(controlDir, REAPER_SOCKET),
    (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => sockets.delete(socket));
      // It says nothing; reading is how its end is noticed.
      socket.resume();
    },
  );
  return {
    get connected() {
      return sockets.size > 0;
    },
    sweep(minAgeS) {
      for (const socket of sockets) socket.write(`sweep ${minAgeS}\n`);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await listener.close();
    },
  };
}
