import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  addKeys,
  readUsersFile,
  removeKeys,
  type NewKey,
} from "./edit-users-file.ts";
import type { KeyOptions } from "./key-line.ts";
import { readPublicKey } from "./public-key.ts";
import { useFolder, useKey, type KeyFiles } from "./ssh-keygen.fixture.ts";

const shop: KeyOptions = {
  names: ["shop"],
  maxTunnels: 2,
  directPorts: [20_000, 20_001],
};

describe("editing the users file", () => {
  it("adds, lists and removes keys of ssh-keygen", async () => {
    const place = usePlace();
    const [a, b, c] = [useKey(), useKey("rsa", 2048), useKey("ecdsa", 256)];
    await addKeys(place, "alice", [newKey(a, "laptop"), newKey(b)], shop);
    await addKeys(place, "bob", [newKey(c)], undefined);
    const users = await readUsersFile(place);
    expect(
      users.map(({ identity, keys }) => [
        identity,
        keys.map(({ fingerprint }) => fingerprint),
      ]),
    ).toEqual([
      [{ id: "alice", ...shop }, [a.fingerprint, b.fingerprint]],
      [
        { id: "bob", names: undefined, maxTunnels: undefined, directPorts: [] },
        [c.fingerprint],
      ],
    ]);
    expect(readFileSync(place.file, "utf8").split("\n")[0]).toBe(
      `names="shop",max-tunnels=2,direct-ports="20000-20001" ${a.publicText} alice laptop`,
    );

    expect(await removeKeys(place, a.fingerprint)).toMatchObject([{ line: 1 }]);
    expect(await removeKeys(place, "bob")).toHaveLength(1);
    expect(
      (await readUsersFile(place)).map(({ identity }) => identity.id),
    ).toEqual(["alice"]);
    await removeKeys(place, "alice");
    expect(readFileSync(place.file, "utf8")).toBe("");
  });

  it("makes the file for its owner alone and keeps the mode that it has", async () => {
    const place = usePlace();
    await addKeys(place, "alice", [newKey(useKey())], undefined);
    expect(statSync(place.file).mode & 0o777).toBe(0o600);
    chmodSync(place.file, 0o640);
    await addKeys(place, "alice", [newKey(useKey())], undefined);
    expect(statSync(place.file).mode & 0o777).toBe(0o640);
  });

  it("leaves comments, order and form of the other lines as they are", async () => {
    const [a, b, c] = [useKey(), useKey(), useKey()];
    const before = `# team\n\n  max-tunnels="3"  ${a.publicText}\talice\n# end`;
    const place = usePlace(before);
    await addKeys(place, "bob", [newKey(b), newKey(c)], undefined);
    await removeKeys(place, b.fingerprint);
    expect(readFileSync(place.file, "utf8")).toBe(
      `${before}\n${c.publicText} bob\n`,
    );
  });

  it("grants a further key what its identity has", async () => {
    const place = usePlace();
    await addKeys(place, "alice", [newKey(useKey())], shop);
    await addKeys(place, "alice", [newKey(useKey())], undefined);
    expect(await readUsersFile(place)).toMatchObject([
      { identity: shop, keys: [{}, {}] },
    ]);
  });

  it("does not grant a further key anything else", async () => {
    const place = usePlace();
    await addKeys(place, "alice", [newKey(useKey())], undefined);
    await expect(
      addKeys(place, "alice", [newKey(useKey())], shop),
    ).rejects.toMatchObject({
      code: "usage-invalid",
      message: expect.stringContaining("alice is granted something else"),
    });
  });

  it("changes nothing when the key is there already", async () => {
    const place = usePlace();
    const key = useKey();
    await addKeys(place, "alice", [newKey(key)], shop);
    const before = readFileSync(place.file, "utf8");
    expect(
      await addKeys(place, "alice", [newKey(key)], undefined),
    ).toMatchObject({
      added: [],
      present: [{ fingerprint: key.fingerprint }],
    });
    expect(readFileSync(place.file, "utf8")).toBe(before);
  });

  it("does not give a key a second owner", async () => {
    const place = usePlace();
    const key = useKey();
    await addKeys(place, "alice", [newKey(key)], undefined);
    await expect(
      addKeys(place, "bob", [newKey(key)], undefined),
    ).rejects.toMatchObject({
      code: "key-invalid",
      message: expect.stringContaining("belongs to alice"),
    });
  });

  it("says whom it does not know", async () => {
    const place = usePlace();
    for (const who of ["alice", "SHA256:AAAA"])
      await expect(removeKeys(place, who)).rejects.toMatchObject({
        code: "identity-unknown",
        exitStatus: 7,
      });
  });

  it("does not touch a file with mistakes", async () => {
    const place = usePlace("broken line\n");
    await expect(
      addKeys(place, "alice", [newKey(useKey())], undefined),
    ).rejects.toMatchObject({
      code: "users-invalid",
    });
    expect(readFileSync(place.file, "utf8")).toBe("broken line\n");
  });

  it("says that the folder is missing", async () => {
    await expect(
      addKeys(
        { file: "/nowhere/users" },
        "alice",
        [newKey(useKey())],
        undefined,
      ),
    ).rejects.toMatchObject({
      code: "users-unreadable",
      message: expect.stringContaining("ENOENT; check that its folder exists"),
    });
  });

  it("loses nobody when several are added at the same moment", async () => {
    const place = usePlace();
    const keys = Array.from({ length: 6 }, () => useKey());
    await Promise.all(
      keys.map((key, i) =>
        addKeys(place, `user${i}`, [newKey(key)], undefined),
      ),
    );
    expect(await readUsersFile(place)).toHaveLength(6);
  });
});

function usePlace(text?: string): { file: string } {
  const file = join(useFolder(), "users");
  if (text !== undefined) writeFileSync(file, text, { mode: 0o600 });
  return { file };
}

function newKey(key: KeyFiles, comment = ""): NewKey {
  const [type, base64] = key.publicText.split(" ") as [string, string];
  return { key: readPublicKey(type, base64), comment };
}
