// Where a login goes: a server with all that it takes to log in to it. resolve-target.ts finds that out.
import type { SessionOptions } from "../options.ts";

/** A server that can be logged in to, complete and frozen. */
export interface SshTarget {
  /** As it was typed. */
  readonly server: string;
  /** What is dialled: a host name or an address without brackets, in lower case. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `host` or `host:port`, for messages. */
  readonly label: string;
  /** 4 or 6 where ssh_config holds the connection to one family, else 0. */
  readonly family: 0 | 4 | 6;
  /** Under which name and port known_hosts is asked; a HostKeyAlias stands with port 22. */
  readonly hostKeyName: { readonly host: string; readonly port: number };
  /** known_hosts files in the order of reading; new keys are written to the first. */
  readonly knownHostsFiles: readonly string[];
  /** `ask` a person about unknown keys, `accept` them, or `refuse` them. A changed key is refused always. */
  readonly unknownHostKey: "ask" | "accept" | "refuse";
  /** Private key files in the order in which they are offered. */
  readonly identityFiles: readonly string[];
  /** Who chose the files: the caller (nothing else is offered), ssh_config, or nobody (ssh's own defaults). */
  readonly identitySource: "explicit" | "config" | "default";
  /** Offer no key of the agent that is not in `identityFiles` too. */
  readonly identitiesOnly: boolean;
  /** Socket of the agent; undefined when there is none or none is wanted. */
  readonly agentSocket: string | undefined;
  /** The server that the connection is forwarded by (ProxyJump); it may have one of its own. */
  readonly jump: SshTarget | undefined;
  /** One sentence for each thing in ssh_config that matters and is not supported, those of `jump` included. */
  readonly unsupported: readonly string[];
  /** The caller's home, to show paths shorter. */
  readonly home: string;
}

/** The outside world of {@link resolveTarget}. */
export interface TargetEnvironment {
  home: string;
  env: NodeJS.ProcessEnv;
  /** System-wide ssh_config. Default: /etc/ssh/ssh_config. */
  systemConfig?: string;
}

/** What a target is made of besides the address. */
export type TargetOptions = Pick<
  SessionOptions,
  "identity" | "knownHosts" | "sshConfig"
> &
  TargetEnvironment;
