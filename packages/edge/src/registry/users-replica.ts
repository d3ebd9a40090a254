// Who may log in, in a process that does not read the users file itself but is told what it says.
import { formatOptions } from "./key-line.ts";
import type { Identity } from "./identity.ts";

/** An identity and its keys: the blobs of RFC 4253 section 6.6 in base64. */
export interface ReplicatedUser {
  readonly identity: Identity;
  readonly keys: readonly string[];
}

/** A copy of the users file. */
export interface UsersReplica {
  /** @param blob the public key; undefined when it belongs to nobody */
  findByKey(blob: Buffer): Identity | undefined;
  /** Takes over what the file says now. An identity that is granted the same as before stays the same object. */
  replace(users: readonly ReplicatedUser[]): void;
}

/** Builds a copy with these in it. */
export function createUsersReplica(
  users: readonly ReplicatedUser[],
): UsersReplica {
  let byKey = new Map<string, Identity>();
  let byId = new Map<string, Identity>();

  function replace(next: readonly ReplicatedUser[]): void {
    const before = byId;
    byKey = new Map();
    byId = new Map();
    for (const { identity: given, keys } of next) {
      const known = before.get(given.id);
      const identity =
        known && formatOptions(known) === formatOptions(given) ? known : given;
      byId.set(identity.id, identity);
      for (const key of keys) byKey.set(key, identity);
    }
  }

  replace(users);
  return {
    findByKey: (blob) => byKey.get(blob.toString("base64")),
    replace,
  };
}
