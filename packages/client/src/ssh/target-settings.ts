// The parts of ssh_config(5) that say how to log in: known hosts, keys and the agent, with ssh's own defaults.
import { isAbsolute, join, resolve } from "node:path";
import type { SshTarget, TargetOptions } from "./target.ts";
import type { UserConfig } from "./user-config.ts";

/** Expands the value of a directive. @throws ExposeError `config-invalid` */
type Expand = (directive: string, value: string) => string;

const DEFAULT_IDENTITIES = ["id_ed25519", "id_ecdsa", "id_rsa"];

/** known_hosts files, ours first. */
export function knownHostsFiles(
  config: UserConfig,
  { knownHosts, home, env }: TargetOptions,
  expand: Expand,
): readonly string[] {
  if (knownHosts) return knownHosts.map((path) => resolve(path));
  const configHome = env["XDG_CONFIG_HOME"];
  const own = join(
    configHome && isAbsolute(configHome) ? configHome : join(home, ".config"),
    "expose",
    "known_hosts",
  );
  const listed = (directive: string, defaults: readonly string[]): string[] =>
    (config.words(directive.toLowerCase()) ?? defaults)
      .filter((path) => path.toLowerCase() !== "none")
      .map((path) => resolve(home, expand(directive, path)));
  return [
    own,
    ...listed("UserKnownHostsFile", [
      "~/.ssh/known_hosts",
      "~/.ssh/known_hosts2",
    ]),
    ...listed("GlobalKnownHostsFile", [
      "/etc/ssh/ssh_known_hosts",
      "/etc/ssh/ssh_known_hosts2",
    ]),
  ];
}

/** What StrictHostKeyChecking says about keys that were never seen. */
export function hostKeyPolicy(config: UserConfig): SshTarget["unknownHostKey"] {
  switch (config.get("stricthostkeychecking")?.toLowerCase()) {
    case "yes":
    case "true":
      return "refuse";
    // `no` would also let changed keys in; here it does not.
    case "no":
    case "false":
    case "off":
    case "accept-new":
      return "accept";
    default:
      return "ask";
  }
}

/** Key files, who chose them, and whether the agent's other keys are left out. */
export function identities(
  config: UserConfig,
  { identity, home }: TargetOptions,
  expand: Expand,
): Pick<SshTarget, "identityFiles" | "identitySource" | "identitiesOnly"> {
  if (identity !== undefined) {
    const paths = typeof identity === "string" ? [identity] : identity;
    return {
      identityFiles: paths.map((path) =>
        resolve(path.startsWith("~/") ? join(home, path.slice(2)) : path),
      ),
      identitySource: "explicit",
      identitiesOnly: true,
    };
  }
  const identitiesOnly = config.get("identitiesonly")?.toLowerCase() === "yes";
  const configured = config.all("identityfile");
  if (configured.length === 0)
    return {
      identityFiles: DEFAULT_IDENTITIES.map((name) => join(home, ".ssh", name)),
      identitySource: "default",
      identitiesOnly,
    };
  return {
    identityFiles: configured
      .filter((path) => path.toLowerCase() !== "none")
      .map((path) => resolve(expand("IdentityFile", path))),
    identitySource: "config",
    identitiesOnly,
  };
}

/** Socket of the agent that is wanted, if there is one. */
export function agentSocket(
  config: UserConfig,
  env: NodeJS.ProcessEnv,
  expand: Expand,
): string | undefined {
  const configured = config.get("identityagent");
  if (configured?.toLowerCase() === "none") return undefined;
  const variable =
    configured === undefined || configured === "SSH_AUTH_SOCK"
      ? "SSH_AUTH_SOCK"
      : /^\$([A-Za-z_]\w*)$/.exec(configured)?.[1];
  if (variable === undefined) return expand("IdentityAgent", configured!);
  const socket = env[variable];
  if (socket) return socket;
  return process.platform === "win32"
    ? "\\\\.\\pipe\\openssh-ssh-agent"
    : undefined;
}
