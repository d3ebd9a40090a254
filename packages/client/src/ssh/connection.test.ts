import { execFileSync } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { utils } from "ssh2";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
  vi,
} from "vitest";
import { ExposeError } from "../errors.ts";
import type { SessionOptions } from "../options.ts";
import { connectSsh, type ConnectOptions } from "./connection.ts";
import { dial } from "./dial.ts";
import { createKeyring } from "./keyring.ts";
import type { SshConnection } from "./ssh-connection.ts";
import {
  createSandbox,
  freePort,
  type TestKey,
  type TestSshd,
} from "./testing/sandbox.ts";
import { ssh2Server } from "./testing/ssh2-pair.ts";

const sandbox = createSandbox();
let sshd: TestSshd;
let key: TestKey;
beforeAll(async () => {
  key = sandbox.key();
  sshd = await sandbox.sshd({
    hostKeyTypes: ["ed25519", "rsa"],
    authorized: [key],
  });
});
afterAll(() => sandbox.dispose());

/** known_hosts with the host keys of these servers. */
function knownHosts(...servers: TestSshd[]): string[] {
  const lines = servers.flatMap(({ port, hostKeys }) =>
    Object.values(hostKeys).map(({ line }) => `[127.0.0.1]:${port} ${line}\n`),
  );
  return [sandbox.write(sandbox.unique("known_hosts"), lines.join(""))];
}

type Options = ConnectOptions & SessionOptions & { env?: NodeJS.ProcessEnv };

async function open(
  server = `127.0.0.1:${sshd.port}`,
  options: Options = {},
): Promise<SshConnection> {
  const target = await sandbox.target(server, {
    knownHosts: knownHosts(sshd),
    identity: key.path,
    ...options,
  });
  const connection = await connectSsh(target, options);
  onTestFinished(() => connection.close());
  return connection;
}

async function failure(opening: Promise<unknown>): Promise<ExposeError> {
  const error = await opening.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof ExposeError) return error;
  throw error;
}

const nobody = {
  secret: () => Promise.resolve(undefined),
  confirm: () => Promise.resolve(undefined),
};

describe("a login", () => {
  it("says which key was accepted, whose host key it saw and what the server is", async () => {
    const { facts } = await open();
    expect(facts).toMatchObject({
      hostKeyFingerprint: sshd.hostKeys["ed25519"]!.fingerprint,
      keyUsed: { name: key.path, source: "file", fingerprint: key.fingerprint },
      serverVersion: expect.stringMatching(/^SSH-2\.0-OpenSSH_/),
    });
  });

  it("offers the key at once, without asking for methods first", async () => {
    const server = await sandbox.sshd({
      authorized: [key],
      lines: ["LogLevel DEBUG1"],
    });
    await open(`127.0.0.1:${server.port}`, { knownHosts: knownHosts(server) });
    const methods = [
      ...server.program.stderr.matchAll(
        /userauth-request for user \S+ service \S+ method (\w+)/g,
      ),
    ];
    expect(methods.map(([, method]) => method)).toEqual([
      "publickey",
      "publickey",
    ]);
  });

  it("signs by the agent, without the file", async () => {
    const held = sandbox.key("ed25519", { comment: "laptop" });
    sshd.authorize(key, held);
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
      sshd.authorize(key, made);
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
    sshd.authorize(asking, key);
    const config = sandbox.write(
      sandbox.unique("config"),
      `IdentityFile ${key.path}\n`,
    );
    const env = { SSH_AUTH_SOCK: socket };
    const { facts } = await open(undefined, {
      identity: undefined,
      sshConfig: config,
      env,
    });
    expect(facts.keyUsed.name).toBe(key.path);
    sshd.authorize(asking);
    const error = await failure(
      open(undefined, { identity: undefined, sshConfig: config, env }),
    );
    expect(error.message).toContain("asking (");
    expect(error.message).toContain("the agent did not sign with it");
    sshd.authorize(key);
  });

  it("that no key opens names the keys and what to do", async () => {
    const stranger = sandbox.key();
    const error = await failure(open(undefined, { identity: stranger.path }));
    expect(error).toMatchObject({ code: "auth-failed", final: true });
    expect(error.message).toContain(
      `${stranger.path} (${stranger.fingerprint})`,
    );
    expect(error.message).toContain(
      `ssh-copy-id -p ${sshd.port} ${sandbox.username}@127.0.0.1`,
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
      authorized: [key],
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
    const target = await sandbox.target(`127.0.0.1:${sshd.port}`, {
      knownHosts: knownHosts(sshd),
      identity: key.path,
    });
    const socket = await dial(target);
    const connection = await connectSsh(target, { socket });
    expect(connection.bytesReceived).toBe(socket.bytesRead);
    await connection.close();
    expect(socket.destroyed).toBe(true);

    const unused = await dial(target);
    await failure(
      connectSsh(
        { ...target, identityFiles: ["/no/such/key"] },
        { socket: unused },
      ),
    );
    expect(unused.destroyed).toBe(true);
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
    const server = await sandbox.sshd({ authorized: [key] });
    const file = join(sandbox.unique("new"), "known_hosts");
    const questions: string[] = [];
    const options: Options = {
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
    expect(error.message).toContain(sshd.hostKeys["ed25519"]!.fingerprint);
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
        knownHosts: [join(key.path, "known_hosts")],
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
      `[127.0.0.1]:${sshd.port} ${other.line}\n`,
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
      `[127.0.0.1]:${sshd.port} ${sshd.hostKeys["rsa"]!.line}\n`,
    );
    const { facts } = await open(undefined, { knownHosts: [file] });
    expect(facts.hostKeyFingerprint).toBe(sshd.hostKeys["rsa"]!.fingerprint);
  });
});

describe("a locked key", () => {
  const locked = () => {
    const made = sandbox.key("ed25519", { passphrase: "right" });
    sshd.authorize(key, made);
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
    await open(undefined, { identity: [stranger.path, key.path], prompt });
    expect(prompt.secret).not.toHaveBeenCalled();
  });

  it("is asked about before it is offered when its file hides the public half", async () => {
    const made = sandbox.key("rsa", { passphrase: "right", format: "PEM" });
    sshd.authorize(key, made);
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
      identity: [made.path, key.path],
      prompt: typing(undefined),
    });
    expect(facts.keyUsed.name).toBe(key.path);
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

describe("what is no SSH server", () => {
  it.each<[string, (socket: Socket) => void, string, RegExp]>([
    [
      "closes at once",
      (socket) => socket.end(),
      "connection-lost",
      /before the SSH handshake.*MaxStartups/,
    ],
    [
      "resets at once",
      (socket) => socket.once("data", () => socket.resetAndDestroy()),
      "connection-lost",
      /before the SSH handshake/,
    ],
    [
      "is overrun",
      (socket) => socket.end("Exceeded MaxStartups\r\n"),
      "connection-lost",
      /said "Exceeded MaxStartups".*wait a minute/,
    ],
    [
      "punishes the address",
      (socket) => socket.end("Not allowed at this time\r\n"),
      "connection-lost",
      /wait a minute/,
    ],
    [
      "greets like a mail server",
      (socket) => socket.write("220 mail ESMTP\r\n"),
      "server-not-ssh",
      /"220 mail ESMTP\\r\\n"/,
    ],
    [
      "sends control characters",
      (socket) => socket.end("\u001b[2J\u0007hello\n"),
      "server-not-ssh",
      /"\\u\{1b\}\[2J\\u\{7\}hello\\n"/,
    ],
    [
      "sends TLS",
      (socket) => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 40])),
      "server-not-ssh",
      /a TLS server/,
    ],
    [
      "speaks SSH 1",
      (socket) => socket.end("SSH-1.5-old\r\n"),
      "server-not-ssh",
      /version 1 of SSH/,
    ],
    ["says nothing", () => {}, "connection-lost", /said nothing for 0\.3 s/],
    [
      "stops after its name",
      (socket) => socket.write("SSH-2.0-tarpit\r\n"),
      "connection-lost",
      /did not finish the SSH handshake/,
    ],
    [
      "ends after its name",
      (socket) => socket.end("SSH-2.0-broken\r\n"),
      "connection-lost",
      /during the SSH handshake/,
    ],
    [
      "sends noise after its name",
      (socket) => socket.write(`SSH-2.0-x\r\n${"\u00ff".repeat(99)}`),
      "connection-lost",
      /during the SSH handshake/,
    ],
    [
      "never ends its greeting",
      (socket) => socket.write("x".repeat(100_000)),
      "server-not-ssh",
      /"xxx/,
    ],
  ])("%s", async (_, behave, code, message) => {
    const port = await sandbox.tcp(behave);
    const error = await failure(
      open(`127.0.0.1:${port}`, { times: { loginMs: 300 } }),
    );
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.final).toBe(code === "server-not-ssh");
  });

  it("is a web server", async () => {
    const server = createHttpServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const error = await failure(open(`127.0.0.1:${port}`));
    expect(error).toMatchObject({
      code: "server-not-ssh",
      message: expect.stringMatching(
        /"HTTP\/1\.1 400 Bad Request.*\(a web server\).*Check the port/,
      ),
    });
  });

  it("has nothing in common with us but SHA-1", async () => {
    for (const line of [
      "KexAlgorithms diffie-hellman-group14-sha1",
      "HostKeyAlgorithms ssh-rsa",
      "Ciphers aes128-cbc",
    ]) {
      const old = await sandbox.sshd({ hostKeyTypes: ["rsa"], lines: [line] });
      const error = await failure(
        open(`127.0.0.1:${old.port}`, { knownHosts: knownHosts(old) }),
      );
      expect(error).toMatchObject({ code: "handshake-failed", final: true });
      expect(error.message).toMatch(/no matching/);
    }
  });

  it("lets everybody in, which is no proof of anything", async () => {
    const port = await ssh2Server(sandbox, (connection) =>
      connection.on("authentication", (context) => context.accept()),
    );
    const connection = await open(`127.0.0.1:${port}`, {
      knownHosts: [sandbox.unique("known")],
      acceptNewHostKey: true,
    });
    // The key was offered and accepted as any other would have been.
    expect(connection.facts.keyUsed.fingerprint).toBe(key.fingerprint);
  });
});

describe("a remote command", () => {
  it("has its output, its errors and its exit status apart", async () => {
    const connection = await open();
    const command = await connection.exec("cat; echo oops >&2; exit 7");
    command.end("input");
    const [out, err] = await Promise.all([text(command), text(command.stderr)]);
    expect([out, err]).toEqual(["input", "oops\n"]);
    expect(await command.exited).toEqual({ code: 7, signal: undefined });
  });

  it("keeps its errors until they are read, its end notwithstanding", async () => {
    const connection = await open();
    const command = await connection.exec("echo oops >&2; echo out");
    // Not text(): that one destroys what it has read.
    const output: string[] = [];
    command.on("data", (chunk: Buffer) => output.push(String(chunk)));
    await once(command, "close");
    expect(output.join("")).toBe("out\n");
    expect(await text(command.stderr)).toBe("oops\n");
  });

  it("tells its exit status though both directions have ended before", async () => {
    const connection = await open();
    const command = await connection.exec(
      "exec 1>&- 2>&- <&-; sleep 0.2; exit 3",
    );
    command.stderr.resume();
    command.end();
    expect(await text(command)).toBe("");
    expect(await command.exited).toEqual({ code: 3, signal: undefined });
  });

  it("tells the signal that ended it", async () => {
    const connection = await open();
    const command = await connection.exec("kill -TERM $$");
    command.resume();
    command.stderr.resume();
    expect(await command.exited).toEqual({
      code: undefined,
      signal: "SIGTERM",
    });
  });

  it("is refused with a reason", async () => {
    const server = await sandbox.sshd({
      authorized: [key],
      lines: ["MaxSessions 0"],
    });
    const connection = await open(`127.0.0.1:${server.port}`, {
      knownHosts: knownHosts(server),
    });
    const error = await failure(connection.exec("true"));
    expect(error).toMatchObject({
      code: "exec-failed",
      message: expect.stringContaining("may run commands"),
    });
  });

  it("ends without a status when the connection is lost", async () => {
    const connection = await open();
    const command = await connection.exec("cat");
    command.resume();
    command.on("error", () => {});
    connection.destroy(new ExposeError("connection-lost", "a test cut it"));
    expect(await command.exited).toEqual({
      code: undefined,
      signal: undefined,
    });
  });
});

describe("a remote forward", () => {
  it("hands each visitor's connection out, with where it came from", async () => {
    const connection = await open();
    const port = await connection.forwardIn("127.0.0.1", 0);
    expect(port).toBeGreaterThan(0);
    const seen: unknown[] = [];
    connection.onConnection(port, (channel, from) => {
      seen.push(from);
      channel.pipe(channel);
      channel.on("error", () => {});
    });
    const visitor = connect(port, "127.0.0.1");
    visitor.end("echo me");
    expect(await text(visitor)).toBe("echo me");
    expect(seen).toEqual([
      {
        address: "127.0.0.1",
        port: expect.any(Number),
        forwardHost: "127.0.0.1",
        forwardPort: port,
      },
    ]);
  });

  it("refuses visitors whom nobody takes, instead of letting them hang", async () => {
    const connection = await open();
    const port = await connection.forwardIn("127.0.0.1", 0);
    const visitor = connect(port, "127.0.0.1");
    visitor.on("error", () => {});
    visitor.resume();
    await once(visitor, "close");
    connection.onConnection(port, (channel) => channel.end("now"));
    expect(await text(connect(port, "127.0.0.1"))).toBe("now");
    connection.onConnection(port, undefined);
    const late = connect(port, "127.0.0.1");
    late.on("error", () => {});
    late.resume();
    await once(late, "close");
  });

  it("takes a visitor who comes in the same packet as the answer", async () => {
    const received = new Promise<string>((resolve) => {
      void (async () => {
        const port = await ssh2Server(sandbox, (server) => {
          server.on("authentication", (context) => context.accept());
          server.on("request", (accept, _reject, _name, info) => {
            accept?.();
            const { bindAddr, bindPort } = info as {
              bindAddr: string;
              bindPort: number;
            };
            server.forwardOut(
              bindAddr,
              bindPort,
              "192.0.2.1",
              1,
              (_error, channel) => {
                channel.on("error", () => {});
                channel.end("hello");
              },
            );
          });
        });
        const connection = await open(`127.0.0.1:${port}`, {
          knownHosts: [sandbox.unique("known")],
          acceptNewHostKey: true,
        });
        const forward = await connection.forwardIn("127.0.0.1", 8080);
        connection.onConnection(forward, (channel) => resolve(text(channel)));
      })();
    });
    expect(await received).toBe("hello");
  });

  it("ends with unforwardIn(), and its connections stay", async () => {
    const connection = await open();
    const port = await connection.forwardIn("127.0.0.1", 0);
    connection.onConnection(port, (channel) => {
      channel.pipe(channel);
      channel.on("error", () => {});
    });
    const visitor = connect(port, "127.0.0.1");
    visitor.write("before");
    await once(visitor, "data");
    await connection.unforwardIn("127.0.0.1", port);
    const refused = connect(port, "127.0.0.1");
    expect((await once(refused, "error"))[0]).toMatchObject({
      code: "ECONNREFUSED",
    });
    visitor.write("after");
    expect(String((await once(visitor, "data"))[0])).toBe("after");
    visitor.destroy();
    expect(
      await failure(connection.unforwardIn("127.0.0.1", port)),
    ).toMatchObject({ code: "forward-refused" });
  });

  it("is refused with what to look at", async () => {
    const server = await sandbox.sshd({
      authorized: [key],
      lines: ["AllowTcpForwarding local"],
    });
    const connection = await open(`127.0.0.1:${server.port}`, {
      knownHosts: knownHosts(server),
    });
    const error = await failure(connection.forwardIn("127.0.0.1", 0));
    expect(error).toMatchObject({
      code: "forward-refused",
      final: true,
      message: expect.stringContaining("AllowTcpForwarding"),
    });
  });

  it("survives a handler with a bug", async () => {
    const connection = await open();
    const port = await connection.forwardIn("127.0.0.1", 0);
    const uncaught = new Promise<Error>((resolve) => {
      const listeners = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const listener of listeners)
          process.on("uncaughtException", listener);
        resolve(error);
      });
    });
    connection.onConnection(port, () => {
      throw new Error("a bug");
    });
    const visitor = connect(port, "127.0.0.1");
    visitor.on("error", () => {});
    visitor.resume();
    expect((await uncaught).message).toBe("a bug");
    connection.onConnection(port, (channel) => channel.end("still here"));
    expect(await text(connect(port, "127.0.0.1"))).toBe("still here");
  });
});

describe("a connection from the server", () => {
  it("reaches what listens there", async () => {
    const connection = await open();
    const port = await sandbox.tcp((socket) => socket.pipe(socket));
    const channel = await connection.openDirect("127.0.0.1", port);
    channel.end("there and back");
    expect(await text(channel)).toBe("there and back");
  });

  it("is refused for good by the server, and for now by what is down", async () => {
    const strict = await sandbox.sshd({
      authorized: [key],
      lines: ["AllowTcpForwarding remote"],
    });
    const connection = await open(`127.0.0.1:${strict.port}`, {
      knownHosts: knownHosts(strict),
    });
    expect(await failure(connection.openDirect("127.0.0.1", 1))).toMatchObject({
      code: "forward-refused",
      final: true,
    });
    const other = await open();
    const down = await failure(other.openDirect("127.0.0.1", await freePort()));
    expect(down).toMatchObject({ code: "forward-refused", final: false });
  });
});

describe("jump hosts", () => {
  const viaTwo = async () => {
    const second = await sandbox.sshd({ authorized: [key] });
    const inner = await sandbox.sshd({ authorized: [key] });
    const config = sandbox.write(
      sandbox.unique("config"),
      `Host 127.0.0.1\n  IdentityFile ${key.path}\nHost inner\n  HostName 127.0.0.1\n  Port ${inner.port}\n  ProxyJump 127.0.0.1:${sshd.port},127.0.0.1:${second.port}\n`,
    );
    return {
      second,
      inner,
      options: {
        sshConfig: config,
        knownHosts: knownHosts(sshd, second, inner),
      },
    };
  };

  it("lead to the target, each with its host key checked", async () => {
    const { inner, second, options } = await viaTwo();
    const connection = await open("inner", options);
    expect(connection.facts.hostKeyFingerprint).toBe(
      inner.hostKeys["ed25519"]!.fingerprint,
    );
    const command = await connection.exec("echo through");
    command.stderr.resume();
    expect(await text(command)).toBe("through\n");
    expect(connection.bytesReceived).toBeGreaterThan(1_000);
    await connection.close();
    for (const server of [second, inner])
      await server.program.waitFor(/Disconnected from|Connection closed by/);

    const error = await failure(
      open("inner", { ...options, knownHosts: knownHosts(sshd, inner) }),
    );
    expect(error).toMatchObject({
      code: "host-key-unknown",
      message: expect.stringContaining(`127.0.0.1:${second.port}`),
    });
  });

  it("are asked about one after the other, without logging in to the first one again", async () => {
    const { options } = await viaTwo();
    const confirm = vi.fn((_question: string) => Promise.resolve(true));
    await open("inner", {
      ...options,
      knownHosts: [sandbox.unique("known")],
      prompt: { ...nobody, confirm },
    });
    expect(confirm).toHaveBeenCalledTimes(3);
  });

  it("that cannot reach the target say so", async () => {
    const port = await freePort();
    const error = await failure(
      open(`127.0.0.1:${port}`, {
        sshConfig: sandbox.write(
          sandbox.unique("config"),
          `Match host 127.0.0.1 user nobody\nHost *\nMatch originalhost bastion\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  IdentityFile ${key.path}\nMatch originalhost 127.0.0.1\n  ProxyJump bastion\n`,
        ),
      }),
    );
    expect(error).toMatchObject({
      code: "server-unreachable",
      final: false,
      message: expect.stringContaining(
        `127.0.0.1:${port} cannot be reached from the jump host 127.0.0.1:${sshd.port}`,
      ),
    });
  });

  it("that go away take the connection with them", async () => {
    const { second, options } = await viaTwo();
    const connection = await open("inner", options);
    killSessions(second);
    expect(await connection.closed).toMatchObject({ code: "connection-lost" });
  });
});

describe("a long connection", () => {
  it("goes through new key exchanges, in which the host key stays the one that was accepted", async () => {
    const server = await sandbox.sshd({
      authorized: [key],
      hostKeyTypes: ["ed25519", "rsa"],
      lines: ["RekeyLimit 64K", "LogLevel DEBUG1"],
    });
    const connection = await open(`127.0.0.1:${server.port}`, {
      knownHosts: [sandbox.unique("known")],
      acceptNewHostKey: true,
    });
    const command = await connection.exec("cat; head -c 1000000 /dev/zero");
    command.stderr.resume();
    command.end(Buffer.alloc(1_000_000));
    expect((await text(command)).length).toBe(2_000_000);
    expect(
      server.program.stderr.match(/rekey (in|out) after/g)!.length,
    ).toBeGreaterThan(4);
  });

  it("ends when the server shows another host key in a later exchange", async () => {
    const other = sandbox.key();
    let swap!: () => void;
    const port = await ssh2Server(sandbox, (server) => {
      server.on("authentication", (context) => context.accept());
      swap = () => {
        // No server does this; a man in the middle who takes over a running connection would have to.
        const inside = server as unknown as {
          _protocol: { _hostKeys: Record<string, unknown> };
        };
        inside._protocol._hostKeys["ssh-ed25519"] = utils.parseKey(
          readFileSync(other.path),
        );
        server.rekey();
      };
    });
    const connection = await open(`127.0.0.1:${port}`, {
      knownHosts: [sandbox.unique("known")],
      acceptNewHostKey: true,
    });
    swap();
    expect(await connection.closed).toMatchObject({
      code: "connection-lost",
      message: expect.stringContaining("Host denied"),
    });
  });
});

describe("the end of a connection", () => {
  it("by close() is no error, for everybody who waits", async () => {
    const connection = await open();
    const heard: unknown[] = [];
    connection.onceClosed((error) => heard.push(error));
    await Promise.all([connection.close(), connection.close()]);
    connection.onceClosed((error) => heard.push(error));
    expect(await connection.closed).toBeUndefined();
    expect(heard).toEqual([undefined, undefined]);
  });

  it("by destroy() carries the first reason", async () => {
    const connection = await open();
    const reason = new ExposeError("superseded", "elsewhere");
    connection.destroy(reason);
    connection.destroy(new ExposeError("connection-lost", "later"));
    expect(await connection.closed).toBe(reason);
    expect(await failure(connection.exec("true"))).toBe(reason);
  });

  it("by the server is a lost connection, which all that is open hears of", async () => {
    const server = await sandbox.sshd({ authorized: [key] });
    const connection = await open(`127.0.0.1:${server.port}`, {
      knownHosts: knownHosts(server),
    });
    const command = await connection.exec("cat");
    command.resume();
    command.on("error", () => {});
    const commandClosed = once(command, "close");
    const waiting = failure(
      connection.openDirect("127.0.0.1", await sandbox.blackHole()),
    );
    killSessions(server);
    expect(await connection.closed).toMatchObject({
      code: "connection-lost",
      final: false,
    });
    await commandClosed;
    expect((await waiting).code).toBe("connection-lost");
    expect((await failure(connection.forwardIn("127.0.0.1", 0))).code).toBe(
      "connection-lost",
    );
    await connection.close();
  });

  it("comes within a second though the server does not say goodbye", async () => {
    const relay = await sandbox.relay(sshd.port);
    const connection = await open(`127.0.0.1:${relay.port}`, {
      acceptNewHostKey: true,
      knownHosts: [sandbox.unique("known")],
    });
    relay.cut();
    const started = performance.now();
    await connection.close();
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(await connection.closed).toBeUndefined();
  });
});

describe("the life of a connection", () => {
  const times = { idleMs: 200, deadMs: 200, wakeMs: 200 };
  const through = async (relayOptions = {}) => {
    const relay = await sandbox.relay(sshd.port, relayOptions);
    const connection = await open(`127.0.0.1:${relay.port}`, {
      times,
      acceptNewHostKey: true,
      knownHosts: [sandbox.unique("known")],
    });
    return { relay, connection };
  };

  it("goes on in silence, and its round trip is known", async () => {
    const { connection } = await through();
    const before = connection.bytesReceived;
    await vi.waitUntil(
      () =>
        connection.latencyMs !== undefined &&
        connection.bytesReceived > before + 100,
      { timeout: 4_000 },
    );
    expect(connection.latencyMs).toBeLessThan(1_000);
    const command = await connection.exec("echo alive");
    command.stderr.resume();
    expect(await text(command)).toBe("alive\n");
  });

  it("ends in time when the network goes silent", async () => {
    const { relay, connection } = await through();
    const started = performance.now();
    relay.cut();
    const error = await connection.closed;
    expect(error).toMatchObject({
      code: "connection-lost",
      final: false,
      message: expect.stringContaining("nothing has arrived"),
    });
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("has a link that is full when the line takes no more", async () => {
    const { relay, connection } = await through();
    const commands = await Promise.all(
      Array.from({ length: 8 }, () => connection.exec("cat >/dev/null")),
    );
    expect(connection.link.isFull()).toBe(false);
    relay.cut();
    for (const command of commands) {
      command.on("error", () => {});
      command.write(Buffer.alloc(2 * 1024 * 1024));
    }
    expect(connection.link.isFull()).toBe(true);
    const drained = new Promise<void>((resolve) =>
      connection.link.onceDrained(resolve),
    );
    await connection.close();
    await drained;
  });

  it("goes on while a slow line carries what we have sent, though nothing arrives for long", async () => {
    // The server confirms a window of 2 MiB when half of it is read, which takes a second at this rate: five times what
    // an idle connection gets.
    let consumed = 0;
    const port = await ssh2Server(sandbox, (server) => {
      server.on("authentication", (context) => context.accept());
      server.on("session", (accept) =>
        accept().on("exec", (acceptExec) => {
          const channel = acceptExec();
          channel.on("error", () => {});
          channel.on("data", (chunk: Buffer) => (consumed += chunk.length));
          channel.on("end", () => channel.end("done"));
        }),
      );
    });
    const relay = await sandbox.relay(port, { bytesPerSecond: 1024 * 1024 });
    const connection = await open(`127.0.0.1:${relay.port}`, {
      times,
      acceptNewHostKey: true,
      knownHosts: [sandbox.unique("known")],
    });
    const command = await connection.exec("swallow");
    command.stderr.resume();
    command.end(Buffer.alloc(2 * 1024 * 1024));
    expect(await text(command)).toBe("done");
    expect(consumed).toBe(2 * 1024 * 1024);
  }, 15_000);
});

function killSessions(server: TestSshd): void {
  for (const pid of childrenOf(server.program.child.pid!))
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It went with its parent.
    }
}

function childrenOf(pid: number): number[] {
  const output = execFileSync("ps", ["-e", "-o", "pid=,ppid="], {
    encoding: "utf8",
  });
  const pairs = output
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const direct = pairs
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child!);
  return direct.flatMap((child) => [child, ...childrenOf(child)]);
}
