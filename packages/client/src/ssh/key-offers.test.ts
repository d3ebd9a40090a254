import type { AgentAuthMethod, BaseAgent } from "ssh2";
import { afterAll, describe, expect, it, vi } from "vitest";
import { loadIdentities } from "./identity.ts";
import { KeyOffers } from "./key-offers.ts";
import { createKeyring } from "./keyring.ts";
import { createSandbox } from "./testing/sandbox.ts";

// What servers do with offers is in connection.test.ts; this is what no server at hand does.
const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

async function firstOffer(type: string) {
  const { path } = sandbox.key(type);
  const target = await sandbox.target("vps", { identity: path });
  const found = await loadIdentities(target);
  const offers = new KeyOffers(target, found, createKeyring());
  const next = vi.fn((_method: unknown) => {});
  offers.handler({
    locked() {},
    signing() {},
    signed() {},
    exhausted() {},
  })([], false, next);
  const { agent } = next.mock.calls[0]![0] as AgentAuthMethod;
  const sign = (hash?: "sha1" | "sha256" | "sha512") =>
    new Promise<Error | Buffer>((resolve) =>
      (agent as BaseAgent).sign(
        "",
        Buffer.from("data"),
        hash ? { hash } : {},
        (error, signature) => resolve(error ?? signature!),
      ),
    );
  return { offers, sign };
}

describe("an RSA key", () => {
  it("signs with SHA-2 and never with SHA-1, which is what a server gets that names no algorithms", async () => {
    const { offers, sign } = await firstOffer("rsa");
    expect(await sign("sha256")).toBeInstanceOf(Buffer);
    expect(await sign("sha512")).toBeInstanceOf(Buffer);
    expect(await sign("sha1")).toBeInstanceOf(Error);
    expect(await sign()).toBeInstanceOf(Error);
    expect(offers.failure().message).toContain(
      "takes RSA signatures with SHA-1 only",
    );
  });
});

describe("another key", () => {
  it("signs without being told how", async () => {
    const { sign } = await firstOffer("ed25519");
    expect(await sign()).toBeInstanceOf(Buffer);
  });
});

it("tells how keys are added: at an edge otherwise than at an sshd", async () => {
  const { offers } = await firstOffer("ed25519");
  expect(offers.failure().message).toContain("ssh-copy-id");
  offers.noteEdge();
  expect(offers.failure().message).not.toContain("ssh-copy-id");
  expect(offers.failure().message).toContain("`expose-edge keys add");
});
