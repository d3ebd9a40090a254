import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import ssh2 from "ssh2";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  startSsh,
  useSshKey,
} from "../../../../../test/harness/openssh-client.ts";
import { silentLog } from "../../util/log.ts";
import { createEmbeddedIngress } from "./embedded-ingress.ts";
import { generateHostKey } from "./host-key.ts";
import type { EmbeddedIngressOptions } from "./options.ts";
import {
  useControlForward,
  useEmbeddedIngress,
  useSsh2Client,
} from "./test-support.ts";

describe("start()", () => {
  it("says where it listens when port 0 was asked for", async () => {
    const { ingress } = await useEmbeddedIngress(undefined);
    expect(ingress.address()).toEqual({
      host: "127.0.0.1",
      port: expect.any(Number),
    });
    expect(ingress.address().port).toBeGreaterThan(0);
  });

  it("fails with listen-failed, the address and the next step when the port is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const ingress = createEmbeddedIngress(options({ port }));
    await expect(ingress.start()).rejects.toMatchObject({
      code: "listen-failed",
      message: `The embedded SSH server cannot listen on 127.0.0.1 port ${port}; choose another port or stop what uses it.`,
    });
    // Nothing is left that would have to be closed, and closing harms nothing.
    await ingress.close();
  });

  it("shows the host key that it was given", async () => {
    const hostKey = generateHostKey();
    const parsed = ssh2.utils.parseKey(hostKey);
    if (parsed instanceof Error) throw parsed;
    const key = useSshKey();
    const { port } = await useEmbeddedIngress(key, { hostKeys: [hostKey] });
    let seen: Buffer | undefined;
    await useSsh2Client(port, key, {
      hostVerifier: (shown: Buffer) => {
        seen = shown;
        return true;
      },
    });
    expect(seen?.equals(parsed.getPublicSSH())).toBe(true);
  });
});

describe("stopAccepting()", () => {
  it("refuses new connections and keeps those that are there", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const client = await useSsh2Client(edge.port, key);
    const tunnel = await useControlForward(edge, client);
    edge.ingress.stopAccepting();
    edge.ingress.stopAccepting();
    const socket = connect(edge.port, "127.0.0.1");
    const [error] = await once(socket, "error").catch((thrown: unknown) => [
      thrown,
    ]);
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
    await tunnel.connect();
    expect(tunnel.forward.closed).toBe(false);
  });
});

describe("close()", () => {
  it("ends every session and stranger, frees the port, and is one promise for all", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key);
    const client = await useSsh2Client(edge.port, key);
    const { forward } = await useControlForward(edge, client);
    const ssh = startSsh({
      ...{ port: edge.port, key },
      args: ["-R", "80:localhost:9"],
    });
    await ssh.waitFor(/random\.test/);
    const stranger = connect(edge.port, "127.0.0.1");
    await once(stranger, "data");
    const gone = Promise.all([
      once(client, "close"),
      once(stranger, "close"),
      ssh.exited,
    ]);
    const before = performance.now();
    expect(edge.ingress.close()).toBe(edge.ingress.close());
    expect(forward.closed).toBe(true);
    await edge.ingress.close();
    expect(performance.now() - before).toBeLessThan(5_000);
    await gone;
    expect(ssh.stderr).toContain("The edge is stopping.");
    const again = createServer().listen(edge.port, "127.0.0.1");
    await once(again, "listening");
    again.close();
  });

  it("waits no longer for a client that does not read", async () => {
    const key = useSshKey();
    const edge = await useEmbeddedIngress(key, { limits: { lingerMs: 100 } });
    const client = await useSsh2Client(edge.port, key);
    const tunnel = await useControlForward(edge, client);
    const connections = await Promise.all(
      Array.from({ length: 12 }, () => tunnel.connect()),
    );
    (client as unknown as { _sock: Socket })._sock.pause();
    for (const { edge: connection } of connections)
      connection.stream.write(Buffer.alloc(2_000_000));
    expect(connections[0]!.edge.link!.isFull()).toBe(true);
    await edge.ingress.close();
    expect(edge.ingress.stats()).toEqual({
      strangers: 0,
      connections: 0,
      channels: 0,
    });
  });

  it("can be called before start()", async () => {
    const ingress = createEmbeddedIngress(options());
    await expect(ingress.close()).resolves.toBeUndefined();
  });
});

describe("host keys", () => {
  it.each<[string, () => string[], string]>([
    ["none", () => [], "has no host key"],
    ["text that is no key", () => ["hello"], "Host key 1 of 1 cannot be read"],
    [
      "a public key",
      () => [useSshKey().publicKey],
      "is a public key; the private one is needed",
    ],
    [
      "an RSA key, for which ssh2 would offer SHA-1",
      () => [generateHostKey(), useSshKey("rsa").privateKey],
      "Host key 2 of 2 is of type ssh-rsa",
    ],
    [
      "a key with a passphrase",
      () => [
        ssh2.utils.generateKeyPairSync("ed25519", {
          passphrase: "x",
          cipher: "aes256-cbc",
          rounds: 1,
        }).private,
      ],
      "without a passphrase",
    ],
  ])("%s are refused with host-key-invalid", (_, hostKeys, message) => {
    expect(() =>
      createEmbeddedIngress(options({ hostKeys: hostKeys() })),
    ).toThrow(
      expect.objectContaining({
        code: "host-key-invalid",
        message: expect.stringContaining(message),
      }),
    );
  });

  it("that are made are readable, each of them", () => {
    // A bug of ssh2's spoils one in 256.
    for (let i = 0; i < 1_000; i++)
      expect(ssh2.utils.parseKey(generateHostKey())).not.toBeInstanceOf(Error);
  });

  it("of ed25519 and ECDSA are taken together", async () => {
    const key = useSshKey();
    const { port } = await useEmbeddedIngress(key, {
      hostKeys: [generateHostKey(), useSshKey("ecdsa").privateKey],
    });
    for (const type of ["ssh-ed25519", "ecdsa-sha2-nistp256"] as const)
      await expect(
        useSsh2Client(port, key, { algorithms: { serverHostKey: [type] } }),
      ).resolves.toBeDefined();
  });
});

function options(
  some: Partial<EmbeddedIngressOptions> = {},
): EmbeddedIngressOptions {
  return {
    host: "127.0.0.1",
    port: 0,
    hostKeys: [generateHostKey()],
    findIdentity: () => undefined,
    formatTarget: (target) => target,
    handlers: {
      serve() {},
      openPlain() {
        throw new TypeError("not in this test");
      },
    },
    log: silentLog,
    ...some,
  };
}
