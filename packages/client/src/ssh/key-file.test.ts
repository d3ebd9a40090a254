import { copyFileSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { readKeyFile } from "./key-file.ts";
import { createSandbox, type TestKey } from "./testing/sandbox.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

describe("a key file", () => {
  it.each([
    ["ed25519", ""],
    ["ecdsa", ""],
    ["rsa", ""],
    ["rsa", "PEM"],
    ["ecdsa", "PEM"],
    ["rsa", "PKCS8"],
    ["ecdsa", "PKCS8"],
  ])(
    "of type %s and format %j is read, locked and open",
    async (type, format) => {
      const open = sandbox.key(type, { format });
      const locked = sandbox.key(type, { format, passphrase: "secret" });
      expect(await publicHalf(open)).toEqual(open.blob);
      const result = await readKeyFile(locked.path);
      if (result.kind !== "key") throw new Error(JSON.stringify(result));
      expect(result.file.privateKey).toBeUndefined();
      expect(result.file.publicKey?.getPublicSSH()).toEqual(locked.blob);
      expect(result.file.unlock("wrong")).toBeUndefined();
      const key = result.file.unlock("secret");
      const data = Buffer.from("data");
      const hash = type === "rsa" ? "sha256" : undefined;
      expect(key?.verify(data, key.sign(data, hash), hash)).toBe(true);
    },
  );

  it("of the old format without its public half beside it keeps that to itself until it is open", async () => {
    const key = sandbox.key("rsa", { format: "PEM", passphrase: "secret" });
    const path = sandbox.unique("alone");
    copyFileSync(key.path, path);
    const result = await readKeyFile(path);
    if (result.kind !== "key") throw new Error(JSON.stringify(result));
    expect(result.file.publicKey).toBeUndefined();
    expect(result.file.unlock("secret")?.getPublicSSH()).toEqual(key.blob);
  });

  it("never throws, whatever it holds", async () => {
    const whole = sandbox.key("ed25519", { passphrase: "x" });
    const text = readFileSync(whole.path, "utf8");
    const lines = text.split("\n");
    const body = Buffer.from(lines.slice(1, -2).join(""), "base64");
    for (let at = 0; at < body.length; at += 3) {
      const broken = Buffer.from(body);
      broken[at]! ^= 0xff;
      const path = sandbox.write(
        "broken",
        `${lines[0]}\n${broken.toString("base64")}\n${lines.at(-2)}\n`,
      );
      const result = await readKeyFile(path);
      expect(["key", "unusable"]).toContain(result.kind);
    }
  });
});

async function publicHalf(key: TestKey): Promise<Buffer | undefined> {
  const result = await readKeyFile(key.path);
  return result.kind === "key"
    ? result.file.privateKey?.getPublicSSH()
    : undefined;
}
