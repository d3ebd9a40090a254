// What the flags, the environment and the configuration file say together about the server.
import type { SessionLog, SessionOptions } from "../options.ts";
import { resolveServer } from "../resolve-server.ts";
import type { CommandContext, Flags } from "./command.ts";

/** Complete enough to connect with. */
export interface Settings {
  session: SessionOptions & { server: string };
}

/**
 * @param log hears what is worth knowing about the login
 * @throws ExposeError `server-missing`, `config-invalid`, `config-unreadable`
 */
export async function resolveSettings(
  flags: Flags,
  { prompt, signal }: CommandContext,
  log: SessionLog,
): Promise<Settings> {
  return {
    session: {
      server: await resolveServer({ server: flags.server }),
      identity: flags.identity,
      acceptNewHostKey: flags.acceptNewHostKey,
      prompt,
      signal,
      log,
    },
  };
}
