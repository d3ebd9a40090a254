// Changes the users file: what `expose-edge keys` does. Comments, order and form of all other lines stay.
import { readFile } from "node:fs/promises";
import { EdgeError } from "../errors.ts";
import { withFileLock } from "../util/file-lock.ts";
import type { PortRange } from "../util/port-range.ts";
import { writeFileAtomic } from "../util/write-file.ts";
import {
  formatKeyLine,
  formatOptions,
  IDENTITY,
  type KeyOptions,
} from "./key-line.ts";
import type { PublicKey } from "./public-key.ts";
import { parseUsersFile, type User, type UserKey } from "./users-file.ts";

/** Which file, and what it may grant. */
export interface UsersFilePlace {
  readonly file: string;
  readonly directPorts?: readonly PortRange[] | undefined;
}

/** A key to add, with the rest of its comment. */
export interface NewKey {
  readonly key: PublicKey;
  readonly comment: string;
}

/** What became of the keys that were to be added. */
export interface AddedKeys {
  readonly added: readonly PublicKey[];
  /** Keys that this identity had already. */
  readonly present: readonly PublicKey[];
}

/** Reads everybody. A file that does not exist holds nobody. @throws EdgeError `users-unreadable`, `users-invalid` */
export async function readUsersFile(
  place: UsersFilePlace,
): Promise<readonly User[]> {
  return parseUsersFile(await readText(place.file), place);
}

/**
 * Adds keys to an identity, which is made if it is not there. The file is made too, for its owner alone.
 *
 * @param options what the identity is to be granted; undefined: as its other lines say, or nothing special
 * @throws EdgeError `key-invalid` when a key is someone else's, `usage-invalid` when id or options cannot be,
 *   `users-unreadable`, `users-invalid`
 */
export async function addKeys(
  place: UsersFilePlace,
  id: string,
  keys: readonly NewKey[],
  options: KeyOptions | undefined,
): Promise<AddedKeys> {
  if (!IDENTITY.test(id))
    throw new EdgeError(
      "usage-invalid",
      "An identity has 1 to 64 letters, digits and . _ @ + - and does not begin with a hyphen.",
    );
  return edit(place, (text, users) => {
    const own = users.find(({ identity }) => identity.id === id);
    if (
      own &&
      options &&
      formatOptions(options) !== formatOptions(own.identity)
    )
      throw new EdgeError(
        "usage-invalid",
        `${id} is granted something else by its other keys (${formatOptions(own.identity) || "no options"}). Leave the options away, or change them in all its lines of ${place.file}.`,
      );
    const granted = own?.identity ?? options ?? NO_OPTIONS;
    const added: PublicKey[] = [];
    const present: PublicKey[] = [];
    let result = text === "" || text.endsWith("\n") ? text : `${text}\n`;
    for (const { key, comment } of keys) {
      const owner = ownerOf(users, key);
      if (owner !== undefined && owner !== id)
        throw new EdgeError(
          "key-invalid",
          `The key ${key.fingerprint} belongs to ${owner}; a key has one owner. Remove it there first.`,
        );
      const known =
        owner === id ||
        added.some(({ fingerprint }) => fingerprint === key.fingerprint);
      (known ? present : added).push(key);
      if (!known)
        result += `${formatKeyLine({ identity: { ...granted, id }, key, comment })}\n`;
    }
    return { text: result, result: { added, present } };
  });
}

/**
 * Removes all keys of an identity, or one key.
 *
 * @param idOrFingerprint an identity, or `SHA256:…`
 * @returns what was removed
 * @throws EdgeError `identity-unknown` when there is no such identity or key, `users-unreadable`, `users-invalid`
 */
export async function removeKeys(
  place: UsersFilePlace,
  idOrFingerprint: string,
): Promise<readonly UserKey[]> {
  return edit(place, (text, users) => {
    const wanted = idOrFingerprint.replace(/=+$/, "");
    const removed = users.flatMap(({ identity, keys }) =>
      identity.id === idOrFingerprint
        ? keys
        : keys.filter(({ fingerprint }) => fingerprint === wanted),
    );
    if (removed.length === 0)
      throw new EdgeError(
        "identity-unknown",
        `No key in ${place.file} belongs to ${JSON.stringify(idOrFingerprint)}. \`expose-edge keys list\` shows who is there.`,
      );
    const gone = new Set(removed.map(({ line }) => line));
    const lines = text.split("\n").filter((_, i) => !gone.has(i + 1));
    return { text: lines.join("\n"), result: removed };
  });
}

const NO_OPTIONS: KeyOptions = {
  names: undefined,
  maxTunnels: undefined,
  directPorts: [],
};

async function edit<T>(
  place: UsersFilePlace,
  change: (text: string, users: readonly User[]) => { text: string; result: T },
): Promise<T> {
  try {
    return await withFileLock(place.file, async () => {
      const text = await readText(place.file);
      const changed = change(text, parseUsersFile(text, place));
      if (changed.text !== text) {
        // Held against the same reader as the edge's: what it would refuse is never written.
        parseUsersFile(changed.text, place);
        await writeFileAtomic(place.file, changed.text);
      }
      return changed.result;
    });
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    throw unusable(place.file, "changed", error);
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw unusable(file, "read", error);
  }
}

function unusable(file: string, what: string, error: unknown): EdgeError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why =
    code === "ELOCKED"
      ? message
      : `${code}; check that its folder exists and who may write there, or name the edge's own with --state-dir, --users or --config`;
  return new EdgeError(
    "users-unreadable",
    `The users file ${file} cannot be ${what} (${why}).`,
    { cause: error },
  );
}

const ownerOf = (users: readonly User[], key: PublicKey): string | undefined =>
  users.find(({ keys }) =>
    keys.some(({ fingerprint }) => fingerprint === key.fingerprint),
  )?.identity.id;
