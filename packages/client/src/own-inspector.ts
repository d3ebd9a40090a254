// Keeps tunnels from leading to an inspector of this user: who can visit it can read and repeat every request.
import { homedir } from "node:os";
import net from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { UpstreamSpec } from "@expose/protocol";
import { stateFolder } from "./config/locate.ts";
import { ExposeError } from "./errors.ts";
import { watchInspectorPorts } from "./inspect/run-ports.ts";

/** Folder of the run files of this user's clients. */
export const runFolder = (
  env: Readonly<Record<string, string | undefined>> = process.env,
): string => join(stateFolder({ env, home: homedir() }), "run");

/**
 * Refuses a tunnel to an inspector that runs.
 *
 * @throws ExposeError `upstream-invalid`
 */
export function refuseOwnInspector(spec: UpstreamSpec): void {
  if (spec.kind !== "tcp" || !isLoopback(spec.host)) return;
  if (!inspectorPorts().has(spec.port)) return;
  throw new ExposeError(
    "upstream-invalid",
    `Port ${spec.port} is the inspector of a running expose, which shows every request with its secrets: it is never exposed. If your own service is to have this port, start that client with another --inspect-port.`,
  );
}

/**
 * Tells whether a connection that was just dialled leads to an inspector: one that was started after the tunnel, or that
 * a name leads to.
 */
export function leadsToOwnInspector(stream: Duplex): boolean {
  if (!(stream instanceof net.Socket)) return false;
  const { remoteAddress, remotePort } = stream;
  return (
    remoteAddress !== undefined &&
    remotePort !== undefined &&
    isLoopback(remoteAddress) &&
    inspectorPorts().has(remotePort)
  );
}

let watching: (() => ReadonlySet<number>) | undefined;
const inspectorPorts = (): ReadonlySet<number> =>
  (watching ??= watchInspectorPorts(runFolder()))();

// 0.0.0.0 and :: lead to this machine as well when they are dialled.
const isLoopback = (host: string): boolean =>
  /^(localhost\.?|.*\.localhost\.?|127\.\d+\.\d+\.\d+|0\.0\.0\.0|::1?|::ffff:127\.\d+\.\d+\.\d+|::ffff:0\.0\.0\.0)$/i.test(
    host,
  );
