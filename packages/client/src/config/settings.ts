// What flags, environment and file say together: a flag goes before a variable, a variable before the file.
import { readVariable, type Environment } from "./environment.ts";
import type { ClientConfig } from "./load.ts";

/** The flags that are about the server. */
export interface SettingsFlags {
  server?: string | undefined;
  identity?: readonly string[] | undefined;
  acceptNewHostKey?: boolean | undefined;
  knownHosts?: readonly string[] | undefined;
}

/** Complete and frozen. */
export interface ServerSettings {
  /** Undefined: nobody has said one. */
  readonly server: string | undefined;
  readonly serverFrom: "flag" | "environment" | "file" | undefined;
  /** Undefined: what ssh would offer. */
  readonly identity: readonly string[] | undefined;
  readonly acceptNewHostKey: boolean;
  /** Undefined: ours and ssh's own. */
  readonly knownHosts: readonly string[] | undefined;
}

export function resolveServerSettings(
  flags: SettingsFlags,
  env: Environment,
  file: Pick<
    ClientConfig,
    "server" | "identity" | "acceptNewHostKey" | "knownHosts"
  >,
): ServerSettings {
  const variable = readVariable(env, "EXPOSE_SERVER");
  const server = flags.server ?? variable ?? file.server;
  // The file's keys are for the file's server. Offered to another one they would keep the right keys from being tried,
  // and tell a stranger which keys there are.
  const filesKeys =
    file.server === undefined || server === file.server
      ? file.identity
      : undefined;
  return Object.freeze({
    server,
    serverFrom: sourceOf(flags.server, variable, file.server),
    identity: flags.identity ?? filesKeys,
    acceptNewHostKey: flags.acceptNewHostKey ?? file.acceptNewHostKey ?? false,
    knownHosts: flags.knownHosts ?? file.knownHosts,
  });
}

function sourceOf(
  flag: string | undefined,
  variable: string | undefined,
  file: string | undefined,
): ServerSettings["serverFrom"] {
  if (flag !== undefined) return "flag";
  if (variable !== undefined) return "environment";
  return file === undefined ? undefined : "file";
}
