// What the flags, the environment and the configuration file say together about the server.
import { homedir } from "node:os";
import { loadClientConfig, type ClientConfig } from "../config/load.ts";
import type { ConfigLocation } from "../config/locate.ts";
import {
  resolveInspectSettings,
  resolveServerSettings,
} from "../config/settings.ts";
import { ExposeError } from "../errors.ts";
import type { InspectOptions, SessionLog, SessionOptions } from "../options.ts";
import type { CommandContext, Flags } from "./command.ts";
import { readApiToken } from "./read-api-token.ts";
import { readPort } from "./read-port.ts";

/** Complete enough to connect with. */
export interface Settings {
  session: SessionOptions & { server: string };
  config: ClientConfig;
  /** For commands that open tunnels. */
  inspect: InspectOptions | false;
}

/**
 * @param log hears what is worth knowing about the login
 * @throws ExposeError `server-missing`, `config-invalid`, `config-unreadable`
 */
export async function resolveSettings(
  flags: Flags,
  context: CommandContext,
  log: SessionLog,
): Promise<Settings> {
  const config = await loadClientConfig(configLocation(flags, context));
  const { server, identity, acceptNewHostKey, knownHosts } =
    resolveServerSettings(flags, context.io.env, config);
  if (server === undefined)
    throw new ExposeError(
      "server-missing",
      "No server is configured. Run `expose login user@host` once, or give --server user@host.",
    );
  const { prompt, signal } = context;
  return {
    config,
    inspect: resolveInspectSettings(
      {
        ...flags,
        inspectPort: readPort("--inspect-port", flags.inspectPort),
        apiToken: await readApiToken(flags.apiToken, context.io.env),
      },
      config,
    ),
    session: {
      ...{ server, identity, acceptNewHostKey, knownHosts },
      ...{ prompt, signal, log },
    },
  };
}

/** Where this command's configuration file is. */
export const configLocation = (
  flags: Flags,
  { io }: CommandContext,
): ConfigLocation => ({
  env: io.env,
  home: homedir(),
  config: flags.config,
});
