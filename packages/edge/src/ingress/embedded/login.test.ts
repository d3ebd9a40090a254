// Who gets in, and what those who do not may cost.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import ssh2, { type Client, type ParsedKey } from "ssh2";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  startSsh,
  useSshKey,
} from "../../../../../test/harness/openssh-client.ts";
import { generateHostKey } from "./host-key.ts";
import {
  fence,
  testIdentity,
  useEmbeddedIngress,
  useSsh2Client,
} from "./test-support.ts";

// What ssh2's client says when no method is left, and when the edge has hung up.
const REFUSED = "All configured authentication methods failed";
const EXHAUSTED = "Too many authentication failures";
const ENDED = "closed before the login";

describe("a login", () => {
  it.each(["ed25519", "ecdsa", "rsa"] as const)(
    "succeeds with an %s key, under any user name",
    async (type) => {
      const key = useSshKey(type);
      const edge = await useEmbeddedIngress(key);
      const ssh = startSsh({
        ...{ port: edge.port, key },
        args: ["-l", "whoever", "-R", "80:localhost:9"],
      });
      await ssh.waitFor(/random\.test/);
      expect(edge.plain[0]!.session.identity.id).toBe("alice");
    },
  );

  it("fails with a key that is not in the users file", async () => {
    const edge = await useEmbeddedIngress(useSshKey());
    const ssh = startSsh({ port: edge.port, key: useSshKey() });
    expect((await ssh.exited).code).toBe(255);
    expect(ssh.stderr).toContain("Permission denied (publickey)");
  });

  it("takes the identity from the key that signs, not from one that was asked about before", async () => {
    const alice = useSshKey();
    const bob = useSshKey();
    const edge = await useEmbeddedIngress(alice);
    edge.users.set(bob.blob.toString("base64"), testIdentity("bob"));
    const client = await useSsh2Client(edge.port, bob, {
      authHandler: asking(alice.publicKey, {
        type: "publickey",
        username: "tunnel",
        key: bob.privateKey,
      }),
    });
    await fence(client);
    expect(edge.logged.join("\n")).toMatch(/ssh login identity=bob /);
  });

  // Whoever answers by the public key alone lets everybody in who has read it.
  it.each<[string, (signature: Buffer) => Buffer]>([
    ["a signature by another key", () => Buffer.alloc(64, 7)],
    ["a signature with one bit changed", flipLastBit],
    ["an empty signature", () => Buffer.alloc(0)],
    ["half a signature", (signature) => signature.subarray(0, 32)],
  ])("fails with the public key and %s", async (_, forge) => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const forged = ssh2.utils.parseKey(key.privateKey);
    if (forged instanceof Error) throw forged;
    const sign = forged.sign.bind(forged);
    forged.sign = (...args) => forge(sign(...args));
    const login = useSsh2Client(edge.port, key, {
      authHandler: [{ type: "publickey", username: "tunnel", key: forged }],
    });
    await expect(login).rejects.toThrow(REFUSED);
    expect(edge.ingress.stats().connections).toBe(0);
    expect(edge.logged.join("\n")).not.toContain("ssh login");
  });

  it("fails with the signature of another connection", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const parsed = ssh2.utils.parseKey(key.privateKey);
    if (parsed instanceof Error) throw parsed;
    const signatures: Buffer[] = [];
    const sign = parsed.sign.bind(parsed);
    parsed.sign = (...args) => {
      const [first] = signatures;
      signatures.push(sign(...args));
      return first ?? signatures[0]!;
    };
    const config = {
      authHandler: [{ type: "publickey", username: "tunnel", key: parsed }],
    };
    await useSsh2Client(edge.port, key, config);
    await expect(useSsh2Client(edge.port, key, config)).rejects.toThrow(
      REFUSED,
    );
  });

  it("fails with RSA and SHA-1", async () => {
    const key = useSshKey("rsa");
    const edge = await useEmbeddedIngress(key);
    const ssh = startSsh({
      ...{ port: edge.port, key },
      args: ["-o", "PubkeyAcceptedAlgorithms=ssh-rsa"],
    });
    expect((await ssh.exited).code).toBe(255);
    expect(edge.ingress.stats().connections).toBe(0);
  });

  it.each([
    ["password", { password: "x" }],
    ["keyboard-interactive", { tryKeyboard: true }],
  ])("offers no %s", async (method, config) => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const offered: string[][] = [];
    const login = useSsh2Client(edge.port, key, {
      ...config,
      authHandler: (
        methods: string[] | null,
        _partial: unknown,
        next: Next,
      ) => {
        if (methods) offered.push(methods);
        next(["none", method, false][offered.length]);
      },
    });
    await expect(login).rejects.toThrow(REFUSED);
    expect(offered).toEqual([["publickey"], ["publickey"]]);
  });
});

describe("a stranger", () => {
  it.each([
    ["says nothing", ""],
    ["has only said which software it is", "SSH-2.0-idle\r\n"],
    ["stops in the middle of its name", "SSH-2.0-"],
  ])("is cut off after the grace time when it %s", async (_, said) => {
    const edge = await useEmbeddedIngress(undefined, {
      limits: { loginGraceMs: 100 },
    });
    const socket = await dial(edge.port);
    socket.write(said);
    await closeOfSocket(socket);
    await vi.waitUntil(() => edge.ingress.stats().strangers === 0);
  });

  it("is cut off in the middle of the login, too", async () => {
    const edge = await useEmbeddedIngress(undefined, {
      limits: { loginGraceMs: 200 },
    });
    const login = useSsh2Client(edge.port, useSshKey(), {
      // Never goes on.
      authHandler: () => {},
    });
    await expect(login).rejects.toThrow(/closed before the login/);
    await vi.waitUntil(() => edge.ingress.stats().strangers === 0);
  });

  it("stays as long as it likes once it has logged in", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      // A login takes its time on a busy machine; it must not be the login that ends at this limit.
      limits: { loginGraceMs: 2_000, unusedMs: 2_500 },
    });
    const before = performance.now();
    const client = await useSsh2Client(edge.port, key);
    await new Promise<void>((resolve) => client.once("close", () => resolve()));
    // By the other limit.
    expect(performance.now() - before).toBeGreaterThan(2_250);
  }, 20_000);

  it("has six tries with keys that are nobody's", async () => {
    const edge = await useEmbeddedIngress(undefined);
    const tries = await countTries(edge.port, 30);
    expect(tries).toBe(6);
    expect(edge.logged.join("\n")).toMatch(/info +login refused .*username/);
  });

  it("cannot ask without end about a key that would do", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    let client: Client | undefined;
    let answers = 0;
    const ask = () => {
      const { _protocol: protocol } = client as unknown as {
        _protocol: {
          _handlers: { USERAUTH_PK_OK(): void; USERAUTH_FAILURE(): void };
          authPK(username: string, publicKey: string): void;
        };
      };
      protocol._handlers.USERAUTH_PK_OK = () => {
        answers++;
        protocol.authPK("tunnel", key.publicKey);
      };
      protocol._handlers.USERAUTH_FAILURE = () =>
        protocol.authPK("tunnel", key.publicKey);
      protocol.authPK("tunnel", key.publicKey);
    };
    const login = useSsh2Client(
      edge.port,
      key,
      { authHandler: ask },
      (made) => (client = made),
    );
    await expect(login).rejects.toThrow(EXHAUSTED);
    expect(answers).toBe(24);
  });

  it("gets nothing for what it sent behind its last try", async () => {
    const key = useSshKey();
    const parsed = ssh2.utils.parseKey(key.privateKey);
    if (parsed instanceof Error) throw parsed;
    const edge = await useEmbeddedIngress(key, { limits: { maxAuthTries: 1 } });
    const lookUp = vi.spyOn(edge.users, "get");
    let client: Client | undefined;
    const login = useSsh2Client(
      edge.port,
      key,
      {
        authHandler: () => {
          const { _protocol: protocol } = client as unknown as {
            _protocol: {
              authPassword(username: string, password: string): void;
              authPK(
                username: string,
                key: unknown,
                algorithm: undefined,
                sign: (blob: Buffer, signed: (s: Buffer) => void) => void,
              ): void;
            };
          };
          protocol.authPassword("tunnel", "first, so that it counts");
          protocol.authPassword("tunnel", "last try");
          protocol.authPK("tunnel", parsed, undefined, (blob, signed) =>
            signed(parsed.sign(blob)),
          );
        },
      },
      (made) => (client = made),
    );
    await expect(login).rejects.toThrow(EXHAUSTED);
    expect(lookUp).not.toHaveBeenCalled();
    expect(edge.ingress.stats().connections).toBe(0);
  });

  it("takes a place that is free again when it leaves", async () => {
    const edge = await useEmbeddedIngress(undefined, {
      limits: { maxUnauthenticatedPerAddress: 2 },
    });
    const first = await greeted(edge.port);
    await greeted(edge.port);
    await closeOfSocket(await dial(edge.port));
    first.destroy();
    await vi.waitUntil(() => edge.ingress.stats().strangers === 1);
    await greeted(edge.port);
    expect(edge.ingress.stats().strangers).toBe(2);
  });

  it("makes room for the newest when all places are taken", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, {
      limits: { maxUnauthenticated: 2 },
    });
    const oldest = await greeted(edge.port);
    const second = await greeted(edge.port);
    await useSsh2Client(edge.port, key);
    await closeOfSocket(oldest);
    expect(second.destroyed).toBe(false);
  });

  it("that keeps changing its keys is cut off", async () => {
    const edge = await useEmbeddedIngress(undefined);
    let client: Client | undefined;
    const rekey = () =>
      (client as unknown as { _protocol: { rekey(): void } })._protocol.rekey();
    const login = useSsh2Client(
      edge.port,
      useSshKey(),
      { authHandler: rekey },
      (made) => (client = made),
    );
    await expect(login).rejects.toThrow(ENDED);
  });
});

describe("the algorithms", () => {
  it("are those that were pinned, and none with SHA-1", async () => {
    const edge = await useEmbeddedIngress(useSshKey());
    const ssh = startSsh({ port: edge.port, key: useSshKey(), args: ["-vv"] });
    await ssh.exited;
    const offer = ssh.stderr.slice(
      ssh.stderr.indexOf("peer server KEXINIT proposal"),
    );
    const offered = (what: string) =>
      new RegExp(`${what}: (.*)`).exec(offer)?.[1]?.trim().split(",");
    expect(offered("KEX algorithms")).toEqual([
      "curve25519-sha256",
      "curve25519-sha256@libssh.org",
      "ecdh-sha2-nistp256",
      "ecdh-sha2-nistp384",
      "ecdh-sha2-nistp521",
      "diffie-hellman-group14-sha256",
      "diffie-hellman-group16-sha512",
      "kex-strict-s-v00@openssh.com",
    ]);
    expect(offered("host key algorithms")).toEqual(["ssh-ed25519"]);
    expect(offered("ciphers ctos")?.[0]).toBe("aes128-gcm@openssh.com");
    expect(offered("MACs ctos")).toEqual([
      "hmac-sha2-256-etm@openssh.com",
      "hmac-sha2-512-etm@openssh.com",
    ]);
    expect(offered("compression ctos")).toEqual(["none"]);
  });

  it.each([
    ["-c", "aes256-ctr"],
    ["-c", "chacha20-poly1305@openssh.com"],
    ["-o", "KexAlgorithms=diffie-hellman-group14-sha256"],
    ["-o", "KexAlgorithms=ecdh-sha2-nistp384"],
  ])("work with a client that insists on %s %s", async (...args) => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const ssh = startSsh({
      ...{ port: edge.port, key },
      args: [...args, "-R", "80:localhost:9"],
    });
    expect(await ssh.waitFor(/random\.test/)).toBeDefined();
  });
});

type Next = (method: unknown) => void;

function flipLastBit(signature: Buffer): Buffer {
  const copy = Buffer.from(signature);
  copy[copy.length - 1]! ^= 1;
  return copy;
}

/** An authHandler that asks about a public key first and then logs in otherwise. */
function asking(publicKey: string, then: object): object[] {
  return [
    {
      type: "publickey",
      username: "tunnel",
      key: keyWithoutPrivate(publicKey),
    },
    then,
  ];
}

/** A key that ssh2 takes for a private one; its signatures are worth nothing. */
function keyWithoutPrivate(text: string): ParsedKey {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw key;
  key.isPrivateKey = () => true;
  key.sign = () => Buffer.alloc(64);
  return key;
}

/** Logs in with useless keys until it is cut off. @returns how many tries there were */
async function countTries(port: number, most: number): Promise<number> {
  let tries = 0;
  await useSsh2Client(port, useSshKey(), {
    authHandler: (methods: unknown, _partial: unknown, next: Next) => {
      if (methods === null) return next("none");
      if (tries === most) return next(false);
      tries++;
      const key = keyWithoutPrivate(generateHostKey());
      next({ type: "publickey", username: "tunnel", key });
    },
  }).catch(() => {});
  return tries;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** A stranger that the server has answered. */
async function greeted(port: number): Promise<Socket> {
  const socket = await dial(port);
  await once(socket, "data");
  return socket;
}

function closeOfSocket(socket: Socket): Promise<void> {
  socket.resume();
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}
