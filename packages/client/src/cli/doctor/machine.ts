// What this machine knows about the server and has to log in with. Nothing is asked of the network.
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { loadClientConfig, type ClientConfig } from "../../config/load.ts";
import {
  resolveServerSettings,
  type ServerSettings,
} from "../../config/settings.ts";
import { ExposeError, messageOf } from "../../errors.ts";
import { listAgentKeys } from "../../ssh/agent.ts";
import { loadIdentities } from "../../ssh/identity.ts";
import { resolveTarget } from "../../ssh/resolve-target.ts";
import type { SshTarget } from "../../ssh/target.ts";
import type { CommandContext, Flags } from "../command.ts";
import { configLocation } from "../settings.ts";
import { failBecause, pass, skip, warn, type Check } from "./check.ts";

/** A finding, and what it found for the checks after it. */
export interface Finding<T> {
  check: Check;
  found?: T;
}

/** Settings that name a server. */
export type KnownServer = ServerSettings & { readonly server: string };

/** The file's mistakes, and whether others can read it: it says which key opens which server. */
export async function checkConfig(
  flags: Flags,
  context: CommandContext,
): Promise<Finding<ClientConfig>> {
  const location = configLocation(flags, context);
  try {
    const config = await loadClientConfig(location);
    if (!config.exists)
      return {
        check: pass("config", `${config.path} does not exist, which is fine`),
        found: config,
      };
    const { mode } = await stat(config.path);
    const isOpen = process.platform !== "win32" && (mode & 0o077) !== 0;
    return {
      check: isOpen
        ? warn(
            "config",
            `${config.path} can be read by others`,
            `chmod 600 ${config.path}`,
          )
        : pass("config", config.path),
      found: config,
    };
  } catch (error) {
    return { check: failBecause("config", error) };
  }
}

/** Which server it is, and what ssh_config makes of it. */
export async function checkServer(
  flags: Flags,
  { io }: CommandContext,
  config: ClientConfig | undefined,
): Promise<Finding<{ settings: KnownServer; target: SshTarget }>> {
  const settings = resolveServerSettings(flags, io.env, config ?? NO_CONFIG);
  const { server, serverFrom } = settings;
  if (server === undefined)
    return {
      check: failBecause(
        "server",
        new ExposeError("server-missing", "no server is configured"),
      ),
    };
  try {
    const target = await resolveTarget(server, {
      identity: settings.identity,
      knownHosts: settings.knownHosts,
      home: homedir(),
      env: process.env,
    });
    const way = target.jump ? ` by way of ${target.jump.label}` : "";
    const detail = `${target.user}@${target.label}${way} (from the ${serverFrom})`;
    return {
      check:
        target.unsupported.length > 0
          ? warn(
              "server",
              `${detail}. ${target.unsupported.join(" ")}`,
              "write what is needed with --server and --identity instead",
            )
          : pass("server", detail),
      found: { settings: { ...settings, server }, target },
    };
  } catch (error) {
    return { check: failBecause("server", error) };
  }
}

/** What would be offered to the server, in order. */
export async function checkKeys(target: SshTarget): Promise<Check> {
  try {
    const { report } = await loadIdentities(target);
    const usable = report.usable.map(({ name, source, fingerprint }) => {
      const origin = source === "agent" ? "agent" : "file";
      return `${name} (${fingerprint ?? "locked"}, ${origin})`;
    });
    return pass("keys", usable.join(", "));
  } catch (error) {
    return failBecause("keys", error);
  }
}

/** What the agent holds, and what of it is of no use. */
export async function checkAgent(target: SshTarget): Promise<Check> {
  const { agentSocket } = target;
  if (agentSocket === undefined)
    return skip("agent", "none runs (SSH_AUTH_SOCK is not set)");
  try {
    const keys = await listAgentKeys(agentSocket);
    const unusable = keys.filter(({ publicKey }) => publicKey === undefined);
    const count = `${keys.length} ${keys.length === 1 ? "key" : "keys"}, ${keys.length - unusable.length} usable`;
    if (unusable.length === 0) return pass("agent", count);
    const list = unusable.map(
      ({ comment, fingerprint, type, reason }) =>
        `${comment || fingerprint} (${type}): ${reason}`,
    );
    return warn(
      "agent",
      `${count}. ${list.join("; ")}`,
      "fine as long as another key opens the server; else make one with ssh-keygen -t ed25519",
    );
  } catch (error) {
    return warn(
      "agent",
      `${agentSocket}: ${messageOf(error)}`,
      "start the agent again, or unset SSH_AUTH_SOCK",
    );
  }
}

const NO_CONFIG: Parameters<typeof resolveServerSettings>[2] = {
  server: undefined,
  identity: undefined,
  acceptNewHostKey: undefined,
  knownHosts: undefined,
};
