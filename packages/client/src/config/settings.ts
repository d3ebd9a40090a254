// What flags, environment and file say together: a flag goes before a variable, a variable before the file.
import type { InspectOptions } from "../options.ts";
import { readVariable, type Environment } from "./environment.ts";
import type { ClientConfig } from "./load.ts";

/** The flags that are about the server. */
export interface SettingsFlags {
  server?: string | undefined;
  identity?: readonly string[] | undefined;
  acceptNewHostKey?: boolean | undefined;
  knownHosts?: readonly string[] | undefined;
}

/** The flags that are about the inspector. */
export interface InspectFlags {
  inspect?: boolean | undefined;
  inspectPort?: number | undefined;
  keepSecrets?: boolean | undefined;
  apiToken?: string | undefined;
}

/**
 * Says how the inspector is to work. At the command line it is on unless somebody says no.
 *
 * @returns false when it is off
 */
export function resolveInspectSettings(
  flags: InspectFlags,
  file: Pick<ClientConfig, "inspect" | "webhooks">,
): InspectOptions | false {
  const { enabled = true, port, keepSecrets, history } = file.inspect;
  // A port that was asked for by hand wants what the file has switched off.
  const wanted = flags.inspectPort !== undefined || enabled;
  if (flags.inspect === false || !wanted) return false;
  return {
    port: flags.inspectPort ?? port,
    keepSecrets: flags.keepSecrets ?? keepSecrets,
    apiToken: flags.apiToken,
    history,
    webhooks: file.webhooks,
  };
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
