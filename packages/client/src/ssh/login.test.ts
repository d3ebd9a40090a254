import { execFileSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, vi } from "vitest";
import { connectSsh } from "./connection.ts";
import { dial } from "./dial.ts";
import { createKeyring } from "./keyring.ts";
import {
  useLogins,
  failure,
  nobody,
  type LoginOptions,
} from "./testing/logins.ts";
import { freePort } from "./testing/sandbox.ts";

const logins = useLogins();
const { sandbox, open, knownHosts } = logins;

describe("a login", () => {
  it("says which key was accepted, whose host key it saw and what the server is", async () => {
    const { facts } = await open();
    expect(facts).toMatchObject({
      hostKeyFingerprint: logins.sshd.hostKeys["ed25519"]!.fingerprint,
      keyUsed: {
        name: logins.key.path,
        source: "file",
        fingerprint: logins.key.fingerprint,
      },
      serverVersion: expect.stringMatching(/^SSH-2\.0-OpenSSH_/),
    });
  });

  it("signs with the key at once, without asking for methods or whether it would do", async () => {
    const server = await sandbox.sshd({
      authorized: [logins.key],
      lines: ["LogLevel DEBUG1"],
    });
    await open(`127.0.0.1:${server.port}`, { knownHosts: knownHosts(server) });
    const methods = [
      ...server.program.stderr.matchAll(
        /userauth-request for user \S+ service \S+ method (\w+)/g,
      ),
    ];
    expect(methods.map(([, method]) => method)).toEqual(["publickey"]);
  });

  it("signs by the agent, without the file", async () => {
    const held = sandbox.key("ed25519", { comment: "laptop" });
    logins.sshd.authorize(logins.key, held);
    const socket = await sandbox.agent(sandbox.key(), held);
    const { facts } = await open(undefined, {
      identity: undefined,
      env: { SSH_AUTH_SOCK: socket },
    });
    expect(facts.keyUsed).toEqual({
      name: "laptop",
      source: "agent",
      fingerprint: held.fingerprint,
    });
    expect(facts.identities.usable).toHaveLength(2);
  });

  it.each(["rsa", "ecdsa", "ed25519"])(
    "works with a key of type %s, from file and agent",
    async (type) => {
      const made = sandbox.key(type);
      logins.sshd.authorize(logins.key, made);
      await open(undefined, { identity: made.path });
      const socket = await sandbox.agent(made);
      const { facts } = await open(undefined, {
        identity: `${made.path}.pub`,
        env: { SSH_AUTH_SOCK: socket },
      });
      expect(facts.keyUsed.source).toBe("agent");
    },
  );

  it("goes on with the next key when the agent does not sign", async () => {
    const asking = sandbox.key("ed25519", { comment: "asking" });
    const socket = await sandbox.agent();
    // -c has the agent ask a person before it signs; here is none, so it refuses.
    execFileSync("ssh-add", ["-q", "-c", asking.path], {
      env: { ...process.env, SSH_AUTH_SOCK: socket, DISPLAY: "" },
      stdio: "pipe",
    });
    logins.sshd.authorize(asking, logins.key);
    const config = sandbox.write(
      sandbox.unique("config"),
      `IdentityFile ${logins.key.path}\n`,
    );
    const env = { SSH_AUTH_SOCK: socket };
    const { facts } = await open(undefined, {
      identity: undefined,
      sshConfig: config,
      env,
    });
    expect(facts.keyUsed.name).toBe(logins.key.path);
    logins.sshd.authorize(asking);
    const error = await failure(
      open(undefined, { identity: undefined, sshConfig: config, env }),
    );
    expect(error.message).toContain("asking (");
    expect(error.message).toContain("the agent did not sign with it");
    logins.sshd.authorize(logins.key);
  });

  it("that no key opens names the keys and what to do", async () => {
    const stranger = sandbox.key();
    const error = await failure(open(undefined, { identity: stranger.path }));
    expect(error).toMatchObject({ code: "auth-failed", final: true });
    expect(error.message).toContain(
      `${stranger.path} (${stranger.fingerprint})`,
    );
    expect(error.message).toContain(
      `ssh-copy-id -p ${logins.sshd.port} ${sandbox.username}@127.0.0.1`,
    );
  });

  it("stops after six keys, as many as servers put up with by default", async () => {
    const patient = await sandbox.sshd({ lines: ["MaxAuthTries 20"] });
    const keys = Array.from({ length: 8 }, () => sandbox.key());
    const socket = await sandbox.agent(...keys);
    const error = await failure(
      open(`127.0.0.1:${patient.port}`, {
        knownHosts: knownHosts(patient),
        identity: undefined,
        env: { SSH_AUTH_SOCK: socket },
      }),
    );
    expect(error.code).toBe("auth-failed");
    expect(error.message.match(/from the agent/g)).toHaveLength(6);
    expect(error.message).toContain("2 more were not tried");
    expect(error.message).toContain("--identity");
  });

  it("says so when the server ends it earlier", async () => {
    const strict = await sandbox.sshd({ lines: ["MaxAuthTries 2"] });
    const socket = await sandbox.agent(
      ...Array.from({ length: 4 }, () => sandbox.key()),
    );
    const error = await failure(
      open(`127.0.0.1:${strict.port}`, {
        knownHosts: knownHosts(strict),
        identity: undefined,
        env: { SSH_AUTH_SOCK: socket },
      }),
    );
    expect(error.code).toBe("auth-failed");
    expect(error.message.match(/from the agent/g)).toHaveLength(2);
  });

  it("names the methods of a server that takes no keys", async () => {
    const server = await sandbox.sshd({
      lines: ["PubkeyAuthentication no", "PasswordAuthentication yes"],
    });
    const error = await failure(
      open(`127.0.0.1:${server.port}`, { knownHosts: knownHosts(server) }),
    );
    expect(error).toMatchObject({
      code: "auth-failed",
      message: expect.stringContaining("does not accept keys, only password"),
    });
  });

  it("names what a server wants on top of the key", async () => {
    const server = await sandbox.sshd({
      authorized: [logins.key],
      lines: [
        "PasswordAuthentication yes",
        "AuthenticationMethods publickey,password",
      ],
    });
    const error = await failure(
      open(`127.0.0.1:${server.port}`, { knownHosts: knownHosts(server) }),
    );
    expect(error).toMatchObject({
      code: "auth-failed",
      message: expect.stringMatching(
        /accepted .* and asks for more \(password\)/,
      ),
    });
  });

  it("ends at once when the caller changes his mind, and leaves no listener", async () => {
    const silent = await sandbox.tcp(() => {});
    const controller = new AbortController();
    const opening = failure(
      open(`127.0.0.1:${silent}`, { signal: controller.signal }),
    );
    setTimeout(() => controller.abort(), 50);
    expect((await opening).code).toBe("aborted");
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);

    const done = new AbortController();
    const connection = await open(undefined, { signal: done.signal });
    expect(getEventListeners(done.signal, "abort")).toHaveLength(0);
    done.abort();
    const command = await connection.exec("echo alive");
    command.stderr.resume();
    expect(await text(command)).toBe("alive\n");
  });

  it("takes a socket that was dialled before, and ends it when the login fails", async () => {
    const target = await sandbox.target(`127.0.0.1:${logins.sshd.port}`, {
      knownHosts: knownHosts(logins.sshd),
      identity: logins.key.path,
    });
    const dialling = dial(target);
    const connection = await connectSsh(target, { socket: dialling });
    const socket = await dialling;
    expect(connection.bytesReceived).toBe(socket.bytesRead);
    await connection.close();
    expect(socket.destroyed).toBe(true);

    const unused = dial(target);
    await failure(
      connectSsh(
        { ...target, identityFiles: ["/no/such/key"] },
        { socket: unused },
      ),
    );
    expect((await unused).destroyed).toBe(true);
  });

  it("says what is wrong with the keys before it says that the server is away", async () => {
    const target = await sandbox.target(`127.0.0.1:${await freePort()}`, {
      identity: "/no/such/key",
    });
    const error = await failure(connectSsh(target, { socket: dial(target) }));
    expect(error.code).toBe("key-missing");
  });

  it("warns of what ssh_config says and nobody follows", async () => {
    const warn = vi.fn();
    const config = sandbox.write(
      sandbox.unique("config"),
      "ProxyCommand nc %h %p\nCompression yes\n",
    );
    await open(undefined, { sshConfig: config, log: { info() {}, warn } });
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/^ProxyCommand in .* is not supported/),
    );
    const port = await freePort();
    const error = await failure(
      open(`127.0.0.1:${port}`, { sshConfig: config }),
    );
    expect(error).toMatchObject({
      code: "server-unreachable",
      cause: { code: "ECONNREFUSED" },
      message: expect.stringMatching(
        /nothing listens.*ProxyCommand in .* is not supported/,
      ),
    });
  });
});

describe("a host key", () => {
  it("that was never seen is asked about once, while no connection is held", async () => {
    const server = await sandbox.sshd({ authorized: [logins.key] });
    const file = join(sandbox.unique("new"), "known_hosts");
    const questions: string[] = [];
    const options: LoginOptions = {
      knownHosts: [file],
      prompt: {
        ...nobody,
        async confirm(question) {
          questions.push(question);
          // The login time of the server must not run while a person thinks.
          await server.program.waitFor(
            /Connection closed by 127\.0\.0\.1 port \d+ \[preauth\]|Connection reset/,
          );
          return true;
        },
      },
    };
    const { facts } = await open(`127.0.0.1:${server.port}`, options);
    expect(questions).toEqual([
      expect.stringContaining(facts.hostKeyFingerprint),
    ]);
    expect(readFileSync(file, "utf8")).toBe(
      `[127.0.0.1]:${server.port} ${server.hostKeys["ed25519"]!.line.split(" ").slice(0, 2).join(" ")}\n`,
    );
    await open(`127.0.0.1:${server.port}`, options);
    expect(questions).toHaveLength(1);
  });

  it.each([
    ["says no", { ...nobody, confirm: () => Promise.resolve(false) }],
    ["does not answer", nobody],
    ["cannot be asked", undefined],
  ])("that was never seen is refused when the person %s", async (_, prompt) => {
    const file = sandbox.unique("known_hosts");
    const error = await failure(
      open(undefined, { knownHosts: [file], prompt }),
    );
    expect(error.code).toBe("host-key-unknown");
    expect(error.message).toContain(
      logins.sshd.hostKeys["ed25519"]!.fingerprint,
    );
    expect(existsSync(file)).toBe(false);
  });

  it("that was never seen is pinned when the caller wants that", async () => {
    const file = sandbox.unique("known_hosts");
    await open(undefined, { knownHosts: [file], acceptNewHostKey: true });
    await open(undefined, { knownHosts: [file] });
    expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(1);
  });

  it("that cannot be pinned ends the connection: the next one could not tell the server from another", async () => {
    const error = await failure(
      open(undefined, {
        knownHosts: [join(logins.key.path, "known_hosts")],
        acceptNewHostKey: true,
      }),
    );
    expect(error).toMatchObject({
      code: "config-unreadable",
      message: expect.stringMatching(/cannot be written to .*(ENOTDIR|EEXIST)/),
    });
  });

  it("that has changed is refused, whatever the caller wants", async () => {
    const other = sandbox.key();
    const file = sandbox.write(
      sandbox.unique("known_hosts"),
      `[127.0.0.1]:${logins.sshd.port} ${other.line}\n`,
    );
    const error = await failure(
      open(undefined, {
        knownHosts: [file],
        acceptNewHostKey: true,
        prompt: nobody,
      }),
    );
    expect(error.code).toBe("host-key-changed");
    expect(error.message).toContain(`${file}:1`);
  });

  it("is asked for in the type that is known, though the server has a better one", async () => {
    const file = sandbox.write(
      sandbox.unique("known_hosts"),
      `[127.0.0.1]:${logins.sshd.port} ${logins.sshd.hostKeys["rsa"]!.line}\n`,
    );
    const { facts } = await open(undefined, { knownHosts: [file] });
    expect(facts.hostKeyFingerprint).toBe(
      logins.sshd.hostKeys["rsa"]!.fingerprint,
    );
  });
});

describe("a locked key", () => {
  const locked = () => {
    const made = sandbox.key("ed25519", { passphrase: "right" });
    logins.sshd.authorize(logins.key, made);
    return made;
  };
  const typing = (...given: (string | undefined)[]) => {
    const secret = vi.fn(() => Promise.resolve(given.shift()));
    return { ...nobody, secret };
  };

  it("is opened once, and stays open over reconnects with one keyring", async () => {
    const made = locked();
    const prompt = typing("wrong", "right");
    const options = { identity: made.path, keyring: createKeyring(), prompt };
    const { facts } = await open(undefined, options);
    expect(facts.keyUsed).toMatchObject({
      name: made.path,
      fingerprint: made.fingerprint,
    });
    expect(prompt.secret).toHaveBeenCalledTimes(2);
    await open(undefined, options);
    expect(prompt.secret).toHaveBeenCalledTimes(2);
  });

  it("is not asked about when the server does not want it", async () => {
    const stranger = sandbox.key("ed25519", { passphrase: "right" });
    const prompt = typing("right");
    await open(undefined, {
      identity: [stranger.path, logins.key.path],
      prompt,
    });
    expect(prompt.secret).not.toHaveBeenCalled();
  });

  it("is asked about before it is offered when its file hides the public half", async () => {
    const made = sandbox.key("rsa", { passphrase: "right", format: "PEM" });
    logins.sshd.authorize(logins.key, made);
    rmSync(`${made.path}.pub`);
    const prompt = typing("right");
    const { facts } = await open(undefined, { identity: made.path, prompt });
    expect(facts.keyUsed.fingerprint).toBe(made.fingerprint);
  });

  it("holds no connection while the person types", async () => {
    const made = locked();
    const server = await sandbox.sshd({ authorized: [made] });
    await open(`127.0.0.1:${server.port}`, {
      knownHosts: knownHosts(server),
      identity: made.path,
      prompt: {
        ...nobody,
        async secret() {
          await server.program.waitFor(
            /Connection closed by .*\[preauth\]|Connection reset/,
          );
          return "right";
        },
      },
    });
  });

  it("that stays locked gives way to the next key", async () => {
    const made = locked();
    const { facts } = await open(undefined, {
      identity: [made.path, logins.key.path],
      prompt: typing(undefined),
    });
    expect(facts.keyUsed.name).toBe(logins.key.path);
  });

  it.each([
    [
      "three wrong passphrases",
      typing("a", "b", "c"),
      "3 passphrases were wrong",
    ],
    ["nobody to ask", undefined, "nobody can be asked"],
  ])("is the reason when all fails: %s", async (_, prompt, reason) => {
    const made = locked();
    const error = await failure(
      open(undefined, { identity: made.path, prompt }),
    );
    expect(error).toMatchObject({
      code: "key-invalid",
      message: expect.stringContaining(reason),
    });
  });
});
