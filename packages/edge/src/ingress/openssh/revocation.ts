// Says what a change of the users file takes away from an identity whose sessions are open.
import type { Identity } from "../../registry/identity.ts";
import type { OpensshUser } from "./options.ts";

/**
 * Whether sessions that began under `before` must not go on under `after`. A session does not know which of its identity's
 * keys it came in with, and sshd keeps to the rights of the moment of login; so any key less and any other right counts.
 */
export function mustReturn(before: OpensshUser, after: OpensshUser): boolean {
  const keys = new Set(after.keys.map(nameKey));
  return (
    before.keys.some((key) => !keys.has(nameKey(key))) ||
    describeRights(before.identity) !== describeRights(after.identity)
  );
}

const nameKey = ({ blob }: OpensshUser["keys"][number]): string =>
  blob.toString("base64");

const describeRights = (identity: Identity): string =>
  JSON.stringify([
    identity.names ? [...identity.names].sort() : null,
    identity.maxTunnels ?? null,
    [...identity.directPorts].sort((a, b) => a - b),
  ]);
