// What changed between two readings of the users file.
import { formatOptions } from "./key-line.ts";
import type { Identity } from "./identity.ts";
import type { User, UserKey } from "./users-file.ts";

/** A key and whose it is. */
export interface OwnedKey {
  readonly identityId: string;
  readonly key: UserKey;
}

/** What changed. Whoever lost anything must lose what is open in its name. */
export interface UsersChange {
  readonly addedIdentities: readonly Identity[];
  /** Identities without any key left. Their keys are in `removedKeys` too. */
  readonly removedIdentities: readonly Identity[];
  /** Identities that are granted something else than before, as they are now. */
  readonly changedIdentities: readonly Identity[];
  readonly addedKeys: readonly OwnedKey[];
  /** Keys that no longer log in as this identity; one that moved to another identity is here and in `addedKeys`. */
  readonly removedKeys: readonly OwnedKey[];
}

/** Compares two readings. */
export function diffUsers(
  before: readonly User[],
  after: readonly User[],
): UsersChange {
  const old = byId(before);
  const now = byId(after);
  const oldKeys = keysOf(before);
  const nowKeys = keysOf(after);
  return {
    addedIdentities: identities(after).filter(({ id }) => !old.has(id)),
    removedIdentities: identities(before).filter(({ id }) => !now.has(id)),
    changedIdentities: identities(after).filter(({ id, ...options }) => {
      const was = old.get(id);
      return was && formatOptions(was.identity) !== formatOptions(options);
    }),
    addedKeys: [...nowKeys].flatMap(([id, key]) =>
      oldKeys.has(id) ? [] : [key],
    ),
    removedKeys: [...oldKeys].flatMap(([id, key]) =>
      nowKeys.has(id) ? [] : [key],
    ),
  };
}

/** Whether nothing changed that matters to anybody. */
export const isEmptyChange = (change: UsersChange): boolean =>
  Object.values(change).every((list: readonly unknown[]) => list.length === 0);

const identities = (users: readonly User[]): Identity[] =>
  users.map(({ identity }) => identity);

const byId = (users: readonly User[]): Map<string, User> =>
  new Map(users.map((user) => [user.identity.id, user]));

function keysOf(users: readonly User[]): Map<string, OwnedKey> {
  const keys = new Map<string, OwnedKey>();
  for (const { identity, keys: own } of users)
    for (const key of own)
      // Fingerprints hold no blank, so the two parts cannot run into each other.
      keys.set(`${key.fingerprint} ${identity.id}`, {
        identityId: identity.id,
        key,
      });
  return keys;
}
