// The local service that set-ups lead to: nginx, which costs least, or Node for what nginx cannot do.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../harness/plain-sshd.ts";
import { stop } from "../../harness/processes.ts";
import type { Place } from "../place.ts";
import { inRoot } from "../paths.ts";
import { findProgram } from "../programs.ts";
import { startNginx } from "../setups/nginx.ts";
import { tempFolder } from "../temp-folder.ts";

/** A running local service on 127.0.0.1 of its place. */
export interface Origin {
  readonly port: number;
  readonly pids: () => readonly number[];
  /** Contents of `/1k` and `/1m`. */
  readonly files: Readonly<Record<string, Buffer>>;
  close(): Promise<void>;
}

/** Which requests it is for: `static` files, or POST too. */
export type OriginKind = "static" | "sink";

/** Bytes of `/big`. */
export const BIG_BYTES = 256 * 1024 * 1024;

/** Starts it. Whoever starts it closes it. */
export async function startOrigin(
  kind: OriginKind,
  place: Place,
): Promise<Origin> {
  const { folder, files } = writePayload();
  const port = await freePort();
  if (kind === "static" && findProgram("nginx")) {
    const nginx = await startNginx(place, {
      workers: 1,
      server: `listen 127.0.0.1:${port} backlog=4096; root ${folder};`,
    });
    return { port, files, pids: nginx.pids, close: nginx.close };
  }
  const server = place.start(process.execPath, [
    inRoot("test/bench/load/origin-server.mjs"),
    String(port),
    folder,
  ]);
  await server.waitFor(/listening/);
  return {
    port,
    files,
    pids: () => [server.child.pid!],
    close: () => stop(server),
  };
}

// Random, so that nothing on the way can make it smaller. Made once for a run.
function writePayload(): { folder: string; files: Record<string, Buffer> } {
  const folder = join(tempFolder(), "payload");
  if (!existsSync(folder)) {
    mkdirSync(folder, { mode: 0o755 });
    const block = randomBytes(1024 * 1024);
    writeFileSync(join(folder, "1k"), block.subarray(0, 1024));
    writeFileSync(join(folder, "1m"), block);
    for (let size = 0; size < BIG_BYTES; size += block.length)
      writeFileSync(join(folder, "big"), block, { flag: "a" });
    payload = { "/1k": block.subarray(0, 1024), "/1m": block };
  }
  return { folder, files: payload };
}

let payload: Record<string, Buffer> = {};
