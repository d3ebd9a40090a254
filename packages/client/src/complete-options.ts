// What a caller left out about the server comes from EXPOSE_SERVER, then from the configuration file, as for the CLI.
import { homedir } from "node:os";
import { loadClientConfig } from "./config/load.ts";
import { resolveServerSettings } from "./config/settings.ts";
import { ExposeError } from "./errors.ts";
import type { SessionOptions } from "./options.ts";

/**
 * @returns the options with a server; the file is read only when the caller names none
 * @throws ExposeError `server-missing`, `config-invalid`, `config-unreadable`
 */
export async function completeOptions(
  options: SessionOptions,
): Promise<SessionOptions & { server: string }> {
  const { server: given } = options;
  if (given !== undefined) return { ...options, server: given };
  const { env } = process;
  const config = await loadClientConfig({ env, home: homedir() });
  const { identity } = options;
  const {
    server,
    serverFrom: _,
    ...rest
  } = resolveServerSettings(
    {
      ...options,
      identity: typeof identity === "string" ? [identity] : identity?.slice(),
      knownHosts: options.knownHosts?.slice(),
    },
    env,
    config,
  );
  if (server !== undefined) return { ...options, ...rest, server };
  throw new ExposeError(
    "server-missing",
    "No server is configured. Run `expose login user@host` once, or give --server user@host.",
  );
}
