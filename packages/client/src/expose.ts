// expose(): one call, one tunnel.
import { ExposeError } from "./errors.ts";
import { openTunnels } from "./open-session.ts";
import type { SessionOptions, TunnelOptions } from "./options.ts";
import type { Tunnel } from "./tunnel.ts";

/**
 * Gives a local service a public URL. The tunnel has a session of its own, which closes with it. Never exits the
 * process; an open tunnel keeps the process alive, as a listening server does.
 *
 * @returns the open tunnel, reachable under `url` from now on
 * @throws ExposeError, see docs/errors.md; `aborted` when `signal` fires first
 */
export async function expose(
  options: SessionOptions & TunnelOptions,
): Promise<Tunnel> {
  const { session, tunnels } = await openTunnels(options, [options]).catch(
    (error: unknown) => {
      throw options.signal?.aborted ? aborted(error) : error;
    },
  );
  const tunnel = tunnels[0]!;
  // Not by its event: it may have been taken away by now.
  const end = (): void => void session.close();
  tunnel.closed.then(end, end);
  // When close() has returned, the name is free: that takes the session's goodbye as well.
  return Object.assign(tunnel, { close: () => session.close() });
}

const aborted = (cause: unknown): ExposeError =>
  new ExposeError("aborted", "It was ended by its caller.", { cause });
