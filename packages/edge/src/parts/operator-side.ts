// What the process that the operator starts has for itself, whoever serves the visitors: the users file, the ingress
// behind sshd, and the admin listener.
import type { EdgeConfig } from "../config/schema.ts";
import type { ListenAddress } from "../config/values.ts";
import type { OpensshIngress } from "../ingress/openssh/options.ts";
import { createAdmin } from "../metrics/admin.ts";
import { createUsersStore, type UsersStore } from "../registry/users-store.ts";
import { createOpenssh, type OpensshContext } from "./ingresses.ts";
import type { EdgeContext } from "./running-edge.ts";

/** See the file's head. */
export interface OperatorSide {
  readonly users: UsersStore;
  /** Undefined where it is off. */
  readonly openssh: OpensshIngress | undefined;
  /** Undefined where the admin listener is off. Only while it listens. */
  readonly adminAddress: ListenAddress | undefined;
  /** Opens the admin listener. @throws EdgeError */
  startAdmin(): Promise<void>;
  /** Lets sessions in through sshd. @param own where this edge listens for others, and no tunnel may lead. @throws EdgeError */
  startOpenssh(own: readonly ListenAddress[]): Promise<void>;
  /** Ends all but the ingress, which has its own time to end. */
  close(): Promise<void>;
}

/** What it is told beside the configuration. */
export interface OperatorContext
  extends EdgeContext, Pick<OpensshContext, "handlers"> {
  /** The text for /metrics. */
  readonly metrics: () => string | Promise<string>;
  /** An identity is gone from the users file. */
  readonly forget: (identityId: string) => void;
  /** The users file has changed, and those who are gone are forgotten. */
  readonly usersChanged: () => void;
}

/** Reads the users file, and builds the rest; nothing listens yet. @throws EdgeError */
export function createOperatorSide(
  config: EdgeConfig,
  context: OperatorContext,
): OperatorSide {
  const { log } = context;
  const ownPorts = new Set<number>();
  const users = createUsersStore({
    file: config.users,
    directPorts: config.ingress.openssh.directPorts,
    onChange(change) {
      for (const { id } of change.removedIdentities) context.forget(id);
      context.usersChanged();
      openssh?.update().catch((error: unknown) => {
        log.error("sshd's keys are not up to date", { error });
      });
    },
    log,
  });
  const openssh = createOpenssh(config, {
    users: () => users.users(),
    handlers: context.handlers,
    ownPorts: () => ownPorts,
    log,
  });
  const admin = config.admin.enabled
    ? createAdmin({
        listen: config.admin.listen,
        readiness: context.readiness,
        metrics: context.metrics,
        log,
      })
    : undefined;

  return {
    users,
    openssh,
    get adminAddress() {
      return admin?.address();
    },
    async startAdmin() {
      await admin?.start();
    },
    async startOpenssh(own) {
      for (const { port } of own) ownPorts.add(port);
      if (admin) ownPorts.add(admin.address().port);
      await openssh?.start();
    },
    async close() {
      users.close();
      await admin?.close();
    },
  };
}
