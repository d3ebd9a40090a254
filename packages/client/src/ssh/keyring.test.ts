import { afterAll, describe, expect, it } from "vitest";
import { type FileIdentity } from "./identity.ts";
import { readKeyFile } from "./key-file.ts";
import { createKeyring } from "./keyring.ts";
import { silentLog } from "./log.ts";
import { createSandbox } from "./testing/sandbox.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

describe("the keyring", () => {
  const locked = async (passphrase: string) => {
    const key = sandbox.key("ed25519", { passphrase });
    const result = await readKeyFile(key.path);
    if (result.kind !== "key") throw new Error(JSON.stringify(result));
    const identity: FileIdentity = {
      source: "file",
      name: key.path,
      publicKey: result.file.publicKey,
      fingerprint: key.fingerprint,
      file: result.file,
    };
    return { key, identity };
  };
  const answers = (...given: (string | undefined)[]) => {
    const questions: string[] = [];
    return {
      questions,
      secret: (question: string) => {
        questions.push(question);
        return Promise.resolve(given.shift());
      },
      confirm: () => Promise.resolve(undefined),
    };
  };

  it("asks until the passphrase fits, and never again for the same file", async () => {
    const { key, identity } = await locked("right");
    const keyring = createKeyring();
    const prompt = answers("wrong", "right");
    await keyring.unlock(identity, prompt, silentLog);
    expect(prompt.questions).toEqual(
      Array(2).fill(`Passphrase for ${key.path}:`),
    );
    const again = await readKeyFile(key.path);
    if (again.kind !== "key") throw new Error(again.kind);
    expect(keyring.privateKeyOf(again.file)?.getPublicSSH()).toEqual(key.blob);
  });

  it.each([
    ["three wrong ones", ["a", "b", "c"], "3 passphrases were wrong"],
    ["no answer", [undefined], "no passphrase was given"],
  ])("gives up after %s", async (_, given, reason) => {
    const { identity } = await locked("right");
    const unlocking = createKeyring().unlock(
      identity,
      answers(...given),
      silentLog,
    );
    await expect(unlocking).rejects.toMatchObject({
      code: "key-invalid",
      message: expect.stringContaining(reason),
    });
  });

  it("says how to do without a terminal", async () => {
    const { identity } = await locked("right");
    const unlocking = createKeyring().unlock(identity, undefined, silentLog);
    await expect(unlocking).rejects.toMatchObject({
      code: "key-invalid",
      message: expect.stringContaining(`ssh-add ${identity.name}`),
    });
  });
});
