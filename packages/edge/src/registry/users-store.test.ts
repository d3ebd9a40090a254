import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { silentLog, type Log } from "../util/log.ts";
import type { UsersChange } from "./diff-users.ts";
import { useFolder, useKey, type KeyFiles } from "./ssh-keygen.fixture.ts";
import { createUsersStore, type UsersStore } from "./users-store.ts";

describe("the users store", () => {
  it("finds identities by their keys", () => {
    const [a, b] = [useKey(), useKey()];
    const { store } = useStore(`names="x" ${a.publicText} alice\n`);
    expect(store.findByKey(blobOf(a))).toMatchObject({
      id: "alice",
      names: ["x"],
    });
    expect(store.findByKey(blobOf(b))).toBeUndefined();
    expect(store.findById("alice")).toBe(store.findByKey(blobOf(a)));
  });

  it("takes a change over by itself and tells what was added, removed and changed", async () => {
    const [a, b, c] = [useKey(), useKey(), useKey()];
    const { store, file, changes } = useStore(
      `${a.publicText} alice\n${b.publicText} bob\n`,
    );
    const before = store.findById("bob");
    writeFileSync(
      `${file}.new`,
      `max-tunnels=1 ${c.publicText} alice\n${b.publicText} bob\n${a.publicText} carol\n`,
    );
    const started = performance.now();
    renameSync(`${file}.new`, file);
    const change = await changes.next();
    // Well within the second that `keys remove` has; the watch needs a tenth of it.
    expect(performance.now() - started).toBeLessThan(900);
    expect(change.addedIdentities.map(({ id }) => id)).toEqual(["carol"]);
    expect(change.removedIdentities).toEqual([]);
    expect(change.changedIdentities).toEqual([store.findById("alice")]);
    expect(owned(change.addedKeys)).toEqual([
      ["alice", c.fingerprint],
      ["carol", a.fingerprint],
    ]);
    expect(owned(change.removedKeys)).toEqual([["alice", a.fingerprint]]);
    expect(store.findByKey(blobOf(a))!.id).toBe("carol");
    expect(store.findById("bob")).toBe(before);
  });

  it("refuses a wrong file as a whole, says why, and goes on with what it had", async () => {
    const [a, b] = [useKey(), useKey()];
    const { store, file, log } = useStore(`${a.publicText} alice\n`);
    writeFileSync(file, `${b.publicText} bob\nbroken line\n`);
    const { error } = await log.next(
      "users file refused; what it said before still holds",
    );
    expect(String(error)).toContain(`${file}:2: expected a key`);
    expect(store.findById("alice")).toBeDefined();
    expect(store.findById("bob")).toBeUndefined();
    expect(store.counters).toMatchObject({
      rejections: 1,
      reloads: 0,
      keys: 1,
    });

    writeFileSync(file, `${b.publicText} bob\n`);
    await log.next("users file loaded");
    expect(store.findById("alice")).toBeUndefined();
    expect(store.findById("bob")).toBeDefined();
    expect(store.counters).toMatchObject({ rejections: 1, reloads: 1 });
  });

  it("goes on with what it had when the file vanishes, and notices its return", async () => {
    const key = useKey();
    const { store, file, log, changes } = useStore(`${key.publicText} alice\n`);
    rmSync(file);
    await log.next("users file refused; what it said before still holds");
    expect(store.findById("alice")).toBeDefined();
    writeFileSync(file, "");
    const change = await changes.next();
    expect(change.removedIdentities.map(({ id }) => id)).toEqual(["alice"]);
  });

  it("begins with nobody when there is no file, and says so", async () => {
    const { store, file, log, changes } = useStore(undefined);
    await log.next("users file missing; nobody can log in");
    expect(store.users()).toEqual([]);
    writeFileSync(file, `${useKey().publicText} alice\n`);
    await changes.next();
    expect(store.findById("alice")).toBeDefined();
  });

  it("does not begin with a wrong file", () => {
    expect(() => useStore("broken line\n")).toThrow(
      expect.objectContaining({ code: "users-invalid", exitStatus: 5 }),
    );
  });

  it("does not take a file that everybody can write", async () => {
    const { store, file, log } = useStore("");
    writeFileSync(file, `${useKey().publicText} mallory\n`);
    chmodSync(file, 0o666);
    const { error } = await log.next(
      "users file refused; what it said before still holds",
    );
    expect(String(error)).toContain("chmod o-w");
    expect(store.findById("mallory")).toBeUndefined();
  });

  it("does not tell of a change when only comments have changed", async () => {
    const key = useKey();
    const { file, changes, log } = useStore(`${key.publicText} alice\n`);
    writeFileSync(file, `# hello\n${key.publicText} alice laptop\n`);
    await log.next("users file loaded");
    expect(changes.count).toBe(0);
  });

  it("reads at once when it is asked to", async () => {
    const { store, file } = useStore("");
    writeFileSync(file, `${useKey().publicText} alice\n`);
    await store.reload();
    expect(store.findById("alice")).toBeDefined();
  });
});

function useStore(text: string | undefined): {
  store: UsersStore;
  file: string;
  changes: { next(): Promise<UsersChange>; readonly count: number };
  log: { next(message: string): Promise<Record<string, unknown>> };
} {
  const file = join(useFolder(), "users");
  if (text !== undefined) writeFileSync(file, text, { mode: 0o600 });
  const changes = queue<UsersChange>();
  const logged = queue<[message: string, fields: Record<string, unknown>]>();
  const note: Log["info"] = (message, fields = {}) =>
    logged.push([message, fields]);
  const store = createUsersStore({
    file,
    onChange: changes.push,
    log: { ...silentLog, info: note, warn: note, error: note },
  });
  onTestFinished(() => store.close());
  return {
    store,
    file,
    changes,
    log: {
      async next(message) {
        for (;;) {
          const [text, fields] = await logged.next();
          if (text === message) return fields;
        }
      },
    },
  };
}

function queue<T>() {
  const items: T[] = [];
  let wake: (() => void) | undefined;
  return {
    get count() {
      return items.length;
    },
    push: (item: T): void => {
      items.push(item);
      wake?.();
    },
    async next(): Promise<T> {
      while (items.length === 0)
        await new Promise<void>((resolve) => (wake = resolve));
      return items.shift()!;
    },
  };
}

const blobOf = (key: KeyFiles): Buffer =>
  Buffer.from(key.publicText.split(" ")[1]!, "base64");

const owned = (keys: UsersChange["addedKeys"]): unknown[] =>
  keys.map(({ identityId, key }) => [identityId, key.fingerprint]);
