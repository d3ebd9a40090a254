import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import {
  afterAll,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { listAgentKeys } from "./agent.ts";
import { loadIdentities } from "./identity.ts";
import { readKeyFile } from "./key-file.ts";
import { createKeyring } from "./keyring.ts";
import { silentLog } from "./log.ts";
import type { FileIdentity } from "./identity.ts";
import { createSandbox, type TestKey } from "./testing/sandbox.ts";
import {
  SECURITY_KEY_BLOB,
  securityKeyFile,
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
    const { readFileSync } = await import("node:fs");
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

describe("listing an agent's keys", () => {
  it("refuses what is no agent", async () => {
    const replies: [string, (socket: Socket) => void][] = [
      [
        "no ssh-agent",
        (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
      ],
      [
        "no ssh-agent",
        (socket) => socket.write(sshString(Buffer.from([12, 0, 0, 0, 9]))),
      ],
      [
        "no ssh-agent",
        (socket) =>
          socket.write(sshString(Buffer.from([12, 255, 255, 255, 255]))),
      ],
      ["no ssh-agent", (socket) => socket.write(sshString(""))],
      ["it is locked", (socket) => socket.write(sshString(Buffer.from([5])))],
      ["closed the connection", (socket) => socket.end()],
    ];
    for (const [reason, reply] of replies) {
      const path = await agentServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => reply(socket));
      });
      await expect(listAgentKeys(path)).rejects.toThrow(reason);
    }
  });

  it("reads an answer that comes byte by byte", async () => {
    const key = sandbox.key();
    const body = Buffer.concat([
      Buffer.from([12, 0, 0, 0, 1]),
      sshString(key.blob),
      sshString("slow"),
    ]);
    const path = await agentServer((socket) => {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.once("data", () => {
        for (const byte of sshString(body)) socket.write(Buffer.from([byte]));
      });
    });
    const keys = await listAgentKeys(path);
    expect(keys).toMatchObject([
      { fingerprint: key.fingerprint, comment: "slow" },
    ]);
  });
});

async function publicHalf(key: TestKey): Promise<Buffer | undefined> {
  const result = await readKeyFile(key.path);
  return result.kind === "key"
    ? result.file.privateKey?.getPublicSSH()
    : undefined;
}

async function agentServer(handler: (socket: Socket) => void): Promise<string> {
  const path = sandbox.unique("fake-agent");
  const server = createServer(handler).listen(path);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return path;
}
