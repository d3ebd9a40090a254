// Finds out where a login goes: what was typed, completed from ssh_config and the defaults that ssh has.
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { ExposeError } from "../errors.ts";
import { expandPath, expandTokens } from "./expand-path.ts";
import {
  formatHostPort,
  parseServerAddress,
  type ServerAddress,
} from "./server-address.ts";
import {
  agentSocket,
  hostKeyPolicy,
  identities,
  knownHostsFiles,
} from "./target-settings.ts";
import type { SshTarget, TargetOptions } from "./target.ts";
import {
  readUserConfig,
  type UserConfig,
  type UserConfigFile,
} from "./user-config.ts";

/**
 * Completes a server address as ssh would: what was typed comes first, then ssh_config, then the defaults. Reads files,
 * dials and asks nobody.
 *
 * @param server `user@host[:port]`, `ssh://user@host:port` or a Host of ssh_config
 * @throws ExposeError `usage-invalid` for an address that is none, `config-unreadable` or `config-invalid` for a
 * mistake in ssh_config
 */
export async function resolveTarget(
  server: string,
  options: TargetOptions,
): Promise<SshTarget> {
  const address = parseServerAddress(server);
  return resolveHop(server, address, options, undefined, []);
}

// A chain longer than this is a circle, or nobody's intention.
const MAX_JUMPS = 8;

/** @param via hosts to jump by, first one first; undefined: what ssh_config says */
async function resolveHop(
  server: string,
  address: ServerAddress,
  options: TargetOptions,
  via: readonly string[] | undefined,
  path: readonly string[],
): Promise<SshTarget> {
  if (path.length > MAX_JUMPS)
    throw new ExposeError(
      "config-invalid",
      `ProxyJump goes round in circles: ${[...path.toReversed(), server].join(" → ")}. Take the jump host out of the Host pattern that gives it a ProxyJump, as in "Host * !bastion".`,
    );
  const { home, env } = options;
  const localUser = localUserName(env);
  const config = await readUserConfig(configFiles(options), {
    host: address.host,
    user: address.user,
    localUser,
    home,
    env,
  });
  const where = (name: string): string => `${name} of "${address.host}"`;
  const name = config.get("hostname");
  const host = (
    name === undefined
      ? address.host
      : expandTokens(name, {
          tokens: { h: address.host, n: address.host },
          where: where("HostName"),
        })
  ).toLowerCase();
  const port = address.port ?? configPort(config, where("Port")) ?? 22;
  const user = address.user ?? config.get("user") ?? localUser;
  const tokens = {
    ...{ h: host, n: address.host, p: String(port), r: user },
    ...{ u: localUser, d: home, i: String(process.getuid?.() ?? "") },
    k: config.get("hostkeyalias") ?? host,
  };
  const expand = (directive: string, value: string): string =>
    expandPath(value, { home, env, tokens, where: where(directive) });

  const jumps = via ?? jumpHosts(config, tokens, where("ProxyJump"));
  const jump = await resolveJump(
    jumps,
    options,
    [...path, server],
    where("ProxyJump"),
  );
  const alias = config.get("hostkeyalias")?.toLowerCase();
  return Object.freeze({
    server,
    host,
    port,
    user,
    label: formatHostPort(host, port),
    family: FAMILIES[config.get("addressfamily")?.toLowerCase() ?? ""] ?? 0,
    hostKeyName: alias ? { host: alias, port: 22 } : { host, port },
    knownHostsFiles: knownHostsFiles(config, options, expand),
    unknownHostKey: hostKeyPolicy(config),
    ...identities(config, options, expand),
    agentSocket: agentSocket(config, env, expand),
    jump,
    unsupported: [
      ...new Set([...config.unsupported, ...(jump?.unsupported ?? [])]),
    ],
    home,
  });
}

const FAMILIES: Readonly<Record<string, 4 | 6>> = { inet: 4, inet6: 6 };

function configFiles(options: TargetOptions): UserConfigFile[] {
  const includeFolder = join(options.home, ".ssh");
  if (options.sshConfig === "none") return [];
  // As with `ssh -F`: a file named by hand stands alone.
  if (options.sshConfig !== undefined)
    return [
      { path: resolve(options.sshConfig), includeFolder, required: true },
    ];
  return [
    { path: join(includeFolder, "config"), includeFolder, required: false },
    {
      path: options.systemConfig ?? "/etc/ssh/ssh_config",
      includeFolder: "/etc/ssh",
      required: false,
    },
  ];
}

function configPort(config: UserConfig, where: string): number | undefined {
  const text = config.get("port");
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535)
    throw new ExposeError(
      "config-invalid",
      `${where}: "${text}" is no port; a port is a number from 1 to 65535.`,
    );
  return port;
}

function jumpHosts(
  config: UserConfig,
  tokens: Readonly<Record<string, string>>,
  where: string,
): readonly string[] {
  const text = config.get("proxyjump");
  if (text === undefined || text.toLowerCase() === "none") return [];
  return expandTokens(text, { tokens, where })
    .split(",")
    .map((hop) => hop.trim());
}

// In "a,b" the connection to b goes by a, whatever ssh_config says about b, and a's own ProxyJump counts. A key that
// was chosen for the target is not shown to the hosts on the way.
async function resolveJump(
  hosts: readonly string[],
  options: TargetOptions,
  path: readonly string[],
  where: string,
): Promise<SshTarget | undefined> {
  const last = hosts.at(-1);
  if (last === undefined) return undefined;
  const earlier = hosts.length > 1 ? hosts.slice(0, -1) : undefined;
  return resolveHop(
    last,
    parseJumpHost(last, where),
    { ...options, identity: undefined },
    earlier,
    path,
  );
}

function parseJumpHost(text: string, where: string): ServerAddress {
  try {
    return parseServerAddress(text);
  } catch (error) {
    throw new ExposeError(
      "config-invalid",
      `${where}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function localUserName(env: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user id without a line in passwd.
    return env["USER"] ?? env["LOGNAME"] ?? "root";
  }
}
