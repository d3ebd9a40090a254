// The ports of this user's running inspectors, for whoever must not lead a tunnel there. Asked at each dial, so it is
// cheap: the folder of run files is read when it has changed, and looked at a few times a second at most.
import { readdirSync, statSync } from "node:fs";
import { isAlive } from "./is-alive.ts";
import { parseRunFileName } from "./run-file.ts";

const LOOK_EVERY_MS = 250;

/** Those of this process, which need no file. */
const ownPorts = new Set<number>();

/** Counts a port of this process. @returns a function that forgets it */
export function noteOwnPort(port: number): () => void {
  ownPorts.add(port);
  return () => ownPorts.delete(port);
}

/**
 * @param folder of run files; it need not exist
 * @returns a function that gives the ports. What cannot be read counts as none
 */
export function watchInspectorPorts(folder: string): () => ReadonlySet<number> {
  let lookedAt = -Infinity;
  let changedAt: number | undefined;
  let found: readonly { pid: number; port: number }[] = [];
  let ports: ReadonlySet<number> = new Set();
  return () => {
    const others = look();
    return ownPorts.size > 0 ? new Set([...others, ...ownPorts]) : others;
  };

  function look(): ReadonlySet<number> {
    const now = performance.now();
    if (now - lookedAt < LOOK_EVERY_MS) return ports;
    lookedAt = now;
    const mtimeMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
    if (mtimeMs !== changedAt) {
      changedAt = mtimeMs;
      found =
        mtimeMs === undefined
          ? []
          : readdirSync(folder).flatMap((name) => parseRunFileName(name) ?? []);
    }
    ports = new Set(
      found.filter(({ pid }) => isAlive(pid)).map(({ port }) => port),
    );
    return ports;
  }
}
