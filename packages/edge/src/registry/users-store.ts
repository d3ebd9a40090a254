// The users file while the edge runs: who may log in, kept up to date, and never half of a change.
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { EdgeError } from "../errors.ts";
import type { Log } from "../util/log.ts";
import type { PortRange } from "../util/port-range.ts";
import { watchFile } from "../util/watch-file.ts";
import { diffUsers, isEmptyChange, type UsersChange } from "./diff-users.ts";
import type { Identity } from "./identity.ts";
import { formatOptions } from "./key-line.ts";
import { parseUsersFile, type User } from "./users-file.ts";

/** What the store is made from. */
export interface UsersStoreOptions {
  readonly file: string;
  /** Public ports that the file may grant. Default: 1024 to 65535. */
  readonly directPorts?: readonly PortRange[];
  /**
   * Hears of each change after it has taken effect. What lost its key or its grants must be ended by whoever hears it.
   * Must not throw.
   */
  readonly onChange?: (change: UsersChange) => void;
  readonly log: Pick<Log, "info" | "warn" | "error">;
}

/** Who may log in. Look-ups are synchronous and in memory. */
export interface UsersStore {
  /** @param blob the public key (RFC 4253 section 6.6); undefined when it belongs to nobody */
  findByKey(blob: Buffer): Identity | undefined;
  findById(id: string): Identity | undefined;
  /** Everybody, with their keys, in the order of the file. */
  users(): readonly User[];
  /** Reads the file now. Resolves when it has been taken over or refused; never rejects. */
  reload(): Promise<void>;
  readonly counters: UsersCounters;
  /** Stops watching. Look-ups go on to answer with what was read last. Idempotent. */
  close(): void;
}

/** Figures for the metrics. */
export interface UsersCounters {
  readonly identities: number;
  readonly keys: number;
  /** Times that a changed file was taken over, and that one was refused while the old one went on to serve. */
  readonly reloads: number;
  readonly rejections: number;
}

/**
 * Reads the users file and watches it. A file that does not exist yet is one with nobody in it.
 *
 * A file that is wrong later on, or vanishes, is refused as a whole and logged, and what was read before goes on to
 * serve: a slip in an editor must not lock everybody out. To lock everybody out, empty the file.
 *
 * @throws UsersFileError `users-invalid` when the file is wrong now
 * @throws EdgeError `users-unreadable` when it cannot be read
 */
export function createUsersStore(options: UsersStoreOptions): UsersStore {
  const { file, log } = options;
  const parse = (text: string): readonly User[] =>
    parseUsersFile(text, { file, directPorts: options.directPorts });
  let current = index([]);
  let lastSeen: string | undefined;
  let reloads = 0;
  let rejections = 0;
  let running: Promise<void> | undefined;
  let closed = false;

  const first = readFirst(file);
  if (first === undefined)
    log.warn("users file missing; nobody can log in", {
      file,
      next: "expose-edge keys add",
    });
  else {
    current = index(parse(first));
    lastSeen = digest(first);
  }
  const watcher = watchFile(file, () => void reload());

  // One at a time, and one more for what may have changed while it ran.
  let again = false;
  function reload(): Promise<void> {
    if (running) {
      again = true;
      return running;
    }
    running = (async () => {
      do {
        again = false;
        await reloadOnce();
      } while (again);
    })().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function reloadOnce(): Promise<void> {
    let text: string;
    let users: readonly User[];
    try {
      text = await readFile(file, "utf8");
      const seen = digest(text);
      if (closed || seen === lastSeen) return;
      lastSeen = seen;
      refuseWritableByAll(file, (await stat(file)).mode);
      users = parse(text);
    } catch (error) {
      if (closed) return;
      if (!isMissing(error) || lastSeen !== undefined) reject(error);
      return;
    }
    if (closed) return;
    const before = current;
    current = index(keepUnchanged(users, before.byId));
    reloads++;
    const change = diffUsers(before.users, current.users);
    log.info("users file loaded", {
      file,
      identities: current.users.length,
      keys: current.byKey.size,
      added: ids(change.addedIdentities),
      removed: ids(change.removedIdentities),
      changed: ids(change.changedIdentities),
    });
    if (isEmptyChange(change)) return;
    try {
      options.onChange?.(change);
    } catch (error) {
      // A bug of whoever listens; nobody waits for this to hear of it, and the file was taken over.
      log.error("change of the users file not carried through", { error });
    }
  }

  function reject(error: unknown): void {
    // Vanished: its return must be noticed even if nothing in it has changed.
    if (isMissing(error)) lastSeen = undefined;
    rejections++;
    log.error("users file refused; what it said before still holds", {
      file,
      error,
    });
  }

  return {
    findByKey: (blob) => current.byKey.get(blob.toString("base64")),
    findById: (id) => current.byId.get(id),
    users: () => current.users,
    reload,
    get counters() {
      return {
        identities: current.users.length,
        keys: current.byKey.size,
        reloads,
        rejections,
      };
    },
    close() {
      closed = true;
      watcher.close();
    },
  };
}

interface Index {
  readonly users: readonly User[];
  readonly byKey: ReadonlyMap<string, Identity>;
  readonly byId: ReadonlyMap<string, Identity>;
}

function index(users: readonly User[]): Index {
  const byKey = new Map<string, Identity>();
  const byId = new Map<string, Identity>();
  for (const { identity, keys } of users) {
    byId.set(identity.id, identity);
    for (const { blob } of keys) byKey.set(blob.toString("base64"), identity);
  }
  return { users, byKey, byId };
}

// An identity that is granted the same as before stays the same object: sessions hold on to theirs.
function keepUnchanged(
  users: readonly User[],
  before: ReadonlyMap<string, Identity>,
): readonly User[] {
  return users.map((user) => {
    const old = before.get(user.identity.id);
    return old && formatOptions(old) === formatOptions(user.identity)
      ? { ...user, identity: old }
      : user;
  });
}

function readFirst(file: string): string | undefined {
  try {
    const text = readFileSync(file, "utf8");
    refuseWritableByAll(file, statSync(file).mode);
    return text;
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof EdgeError) throw error;
    throw new EdgeError(
      "users-unreadable",
      `The users file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}). Make it readable for the user that the edge runs as.`,
      { cause: error },
    );
  }
}

// Whoever may write the file may log in as anybody; sshd's StrictModes says the same.
function refuseWritableByAll(file: string, mode: number): void {
  if ((mode & 0o002) !== 0)
    throw new EdgeError(
      "users-unreadable",
      `The users file ${file} can be written by everybody on this machine; run chmod o-w on it.`,
    );
}

const isMissing = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === "ENOENT";

const digest = (text: string): string =>
  createHash("sha256").update(text).digest("base64");

const ids = (identities: readonly Identity[]): string | undefined =>
  identities.length > 0 ? identities.map(({ id }) => id).join(" ") : undefined;
