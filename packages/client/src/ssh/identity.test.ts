import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { loadIdentities } from "./identity.ts";
import { createSandbox, type TestKey } from "./testing/sandbox.ts";
import {
  SECURITY_KEY_BLOB,
  securityKeyFile,
  agentServer,
  speakAsAgent,
  sshString,
} from "./testing/wire.ts";

const sandbox = createSandbox();
afterAll(() => sandbox.dispose());

const ssh = join(sandbox.home, ".ssh");
beforeEach(() => {
  rmSync(ssh, { recursive: true, force: true });
  mkdirSync(ssh);
});

const homeKey = (name: string, type = "ed25519", options = {}): TestKey =>
  sandbox.key(type, { path: join(ssh, name), ...options });

async function load(
  config = "",
  { socket, identity }: { socket?: string; identity?: string | string[] } = {},
) {
  const target = await sandbox.target("vps", {
    sshConfig: sandbox.write(sandbox.unique("config"), config),
    env: socket ? { SSH_AUTH_SOCK: socket } : {},
    identity,
  });
  const { identities, report } = await loadIdentities(target);
  return {
    report,
    order: identities.map(({ source, name, fingerprint }) => [
      source,
      name,
      fingerprint,
    ]),
  };
}

describe("the keys of a person", () => {
  it("are ssh's default files when nothing else is said", async () => {
    const rsa = homeKey("id_rsa", "rsa");
    const ed = homeKey("id_ed25519");
    expect((await load()).order).toEqual([
      ["file", "~/.ssh/id_ed25519", ed.fingerprint],
      ["file", "~/.ssh/id_rsa", rsa.fingerprint],
    ]);
  });

  it("are the agent's first, and no file twice", async () => {
    const ed = homeKey("id_ed25519");
    const ecdsa = homeKey("id_ecdsa", "ecdsa");
    const loose = sandbox.key("ed25519", { comment: "laptop" });
    const socket = await sandbox.agent(loose, ed);
    expect((await load("", { socket })).order).toEqual([
      ["agent", "~/.ssh/id_ed25519", ed.fingerprint],
      ["agent", "laptop", loose.fingerprint],
      ["file", "~/.ssh/id_ecdsa", ecdsa.fingerprint],
    ]);
  });

  it("are those of ssh_config in place of the default files", async () => {
    homeKey("id_ed25519");
    const work = homeKey("work");
    const config = "IdentityFile ~/.ssh/missing\nIdentityFile ~/.ssh/work\n";
    expect((await load(config)).order).toEqual([
      ["file", "~/.ssh/work", work.fingerprint],
    ]);
  });

  it("leave the agent's other keys out under IdentitiesOnly", async () => {
    const work = homeKey("work");
    const socket = await sandbox.agent(sandbox.key(), work);
    const config = "IdentityFile ~/.ssh/work\nIdentitiesOnly yes\n";
    expect((await load(config, { socket })).order).toEqual([
      ["agent", "~/.ssh/work", work.fingerprint],
    ]);
  });

  it("may be a public key whose private half is in the agent", async () => {
    const key = sandbox.key();
    const socket = await sandbox.agent(key);
    const { order } = await load("", { socket, identity: `${key.path}.pub` });
    expect(order).toEqual([["agent", `${key.path}.pub`, key.fingerprint]]);
  });

  it("are the explicit files alone, in their order", async () => {
    homeKey("id_ed25519");
    const [one, two] = [sandbox.key(), sandbox.key()];
    const socket = await sandbox.agent(sandbox.key());
    const { order } = await load("", {
      socket,
      identity: [two.path, one.path],
    });
    expect(order.map(([, name]) => name)).toEqual([two.path, one.path]);
  });

  it("that nobody has are missed, with the way to make one", async () => {
    await expect(load()).rejects.toMatchObject({
      code: "key-missing",
      message: expect.stringMatching(
        /no agent is running .*~\/\.ssh\/id_ed25519, .*ssh-keygen -t ed25519/,
      ),
    });
  });
});

describe("keys that cannot be used", () => {
  it("in the agent are counted and named: certificates and security keys", async () => {
    const key = sandbox.key("ed25519", { comment: "plain" });
    const certified = sandbox.key("ed25519", { comment: "signed" });
    const authority = sandbox.key();
    execFileSync("ssh-keygen", [
      "-q",
      "-s",
      authority.path,
      "-I",
      "id",
      "-n",
      "root",
      `${certified.path}.pub`,
    ]);
    const real = await sandbox.agent(key, certified);
    const { order, report } = await load("", { socket: real });
    expect(order.map(([, name]) => name)).toEqual(["plain", "signed"]);
    expect(report.unusable).toEqual([
      {
        name: expect.stringMatching(
          /^signed \(ssh-ed25519-cert-v01@openssh.com, in the agent\)$/,
        ),
        reason: "certificates are not supported",
      },
    ]);

    const fake = await agentServer(
      sandbox,
      speakAsAgent([
        { blob: SECURITY_KEY_BLOB, comment: "yubi\u001b[2Jkey" },
        { blob: sshString("ssh-future"), comment: "future" },
        { blob: Buffer.from([1]), comment: "" },
      ]),
    );
    await expect(load("", { socket: fake })).rejects.toMatchObject({
      code: "key-missing",
      message: expect.stringMatching(
        /yubi\?\[2Jkey \(sk-ssh-ed25519@openssh.com, in the agent\): security keys \(FIDO\) are not supported; future \(ssh-future, in the agent\): keys of type ssh-future are not supported; SHA256:/,
      ),
    });
  });

  it("among the default files are named, and the others still serve", async () => {
    homeKey("id_rsa", "rsa");
    sandbox.write(join(ssh, "id_ecdsa"), "not a key\n");
    chmodSync(homeKey("id_ed25519").path, 0o644);
    const { order, report } = await load();
    expect(order.map(([, name]) => name)).toEqual(["~/.ssh/id_rsa"]);
    expect(report.unusable).toEqual([
      {
        name: "~/.ssh/id_ed25519",
        reason: "its permissions 0644 are too open; run chmod 600 on it",
      },
      { name: "~/.ssh/id_ecdsa", reason: "it is no private key" },
    ]);
  });

  it("include an agent that is not there", async () => {
    homeKey("id_ed25519");
    const { report } = await load("", { socket: "/no/such/agent" });
    expect(report.unusable).toEqual([
      {
        name: "the agent at /no/such/agent",
        reason: "it cannot be reached (ENOENT)",
      },
    ]);
  });
});

describe("an explicit key file", () => {
  const fails = async (identity: string) => {
    const error = await load("", { identity }).catch(
      (reason: unknown) => reason,
    );
    return error as { code: string; message: string };
  };

  it("that is missing is key-missing", async () => {
    expect(await fails("/no/such/key")).toMatchObject({
      code: "key-missing",
      message: expect.stringMatching(
        /\/no\/such\/key does not exist.*ssh-keygen/,
      ),
    });
  });

  it("that is a public key names the private one", async () => {
    const key = sandbox.key();
    expect(await fails(`${key.path}.pub`)).toMatchObject({
      code: "key-invalid",
      message: expect.stringMatching(
        new RegExp(`holds a public key.*: ${key.path}$`),
      ),
    });
  });

  it.each([
    ["is a folder", () => sandbox.folder, "it is a folder"],
    [
      "is no key",
      () => sandbox.write(sandbox.unique("text"), "hello"),
      "it is no private key",
    ],
    [
      "is cut off",
      () =>
        sandbox.write(
          sandbox.unique("cut"),
          "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
        ),
      "it is damaged",
    ],
    [
      "is larger than any key",
      () => sandbox.write(sandbox.unique("big"), "x".repeat(1024 * 1024 + 1)),
      "it is no private key",
    ],
    [
      "is a security key",
      () => sandbox.write(sandbox.unique("sk"), securityKeyFile()),
      "security keys (FIDO) are not supported",
    ],
    [
      "is readable for others",
      () => {
        const { path } = sandbox.key();
        chmodSync(path, 0o640);
        return path;
      },
      "its permissions 0640 are too open",
    ],
  ])("that %s is key-invalid", async (_, make, reason) => {
    const path = make();
    const error = await fails(path);
    expect(error).toMatchObject({
      code: "key-invalid",
      message: expect.stringContaining(reason),
    });
    expect(error.message).toContain(path.split("/").at(-1));
  });
});
