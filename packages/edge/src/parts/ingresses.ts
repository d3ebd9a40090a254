// The doors for SSH sessions, as the configuration wants them.
import type { EdgeConfig } from "../config/schema.ts";
import {
  createEmbeddedIngress,
  type EmbeddedIngress,
} from "../ingress/embedded/embedded-ingress.ts";
import { generateHostKey } from "../ingress/embedded/host-key.ts";
import {
  defaultLimits,
  type EmbeddedIngressOptions,
} from "../ingress/embedded/options.ts";
import { createOpensshIngress } from "../ingress/openssh/ingress.ts";
import type {
  OpensshIngress,
  OpensshIngressOptions,
} from "../ingress/openssh/options.ts";
import { loadOrCreate } from "../state.ts";

/** What the embedded ingresses of a process are told beside the configuration. */
export interface EmbeddedContext extends Pick<
  EmbeddedIngressOptions,
  "findIdentity" | "handlers" | "formatTarget" | "log"
> {
  /** See {@link EmbeddedIngressOptions.logins}; `key` stands for the identity on that ingress. */
  readonly logins?: {
    elsewhere(key: string): number;
    changed(key: string, count: number): void;
  };
}

/** Builds one for each address; none where it is off. Makes the host key when there is none yet. @throws EdgeError */
export async function createEmbeddedIngresses(
  config: EdgeConfig,
  { logins, ...context }: EmbeddedContext,
): Promise<EmbeddedIngress[]> {
  const { enabled, listen } = config.ingress.embedded;
  if (!enabled) return [];
  const hostKeys = [await loadHostKey(config)];
  return listen.map(({ host, port }, i) =>
    createEmbeddedIngress({
      ...{ ...context, host, port, hostKeys },
      ...(logins && {
        logins: {
          elsewhere: (id) => logins.elsewhere(`${i} ${id}`),
          changed: (id, count) => logins.changed(`${i} ${id}`, count),
        },
      }),
      limits: {
        loginGraceMs: config.timeouts.login,
        maxAuthTries: config.limits.loginAttempts,
        maxUnauthenticated: Math.ceil(
          config.limits.loginsAtOnce / config.workers,
        ),
        maxUnauthenticatedPerAddress: config.limits.loginsPerAddress,
        maxConnectionsPerIdentity: config.limits.sessionsPerIdentity,
        maxWindowBytesInAll: defaultLimits.maxWindowBytesInAll / config.workers,
      },
    }),
  );
}

/** Reads the embedded server's host key, or makes one. @throws EdgeError `state-unwritable` */
export const loadHostKey = (config: EdgeConfig): Promise<string> =>
  loadOrCreate(config.ingress.embedded.hostKey, generateHostKey);

/** What the ingress behind sshd is told beside the configuration. */
export type OpensshContext = Pick<
  OpensshIngressOptions,
  "users" | "handlers" | "ownPorts" | "log"
>;

/** Builds the one behind a stock sshd; undefined where it is off. */
export function createOpenssh(
  config: EdgeConfig,
  context: OpensshContext,
): OpensshIngress | undefined {
  const { openssh } = config.ingress;
  if (!openssh.enabled) return undefined;
  return createOpensshIngress({
    ...openssh,
    ...context,
    limits: {
      maxSessionsPerIdentity: config.limits.sessionsPerIdentity,
      maxSessions: config.limits.sessions,
    },
  });
}
