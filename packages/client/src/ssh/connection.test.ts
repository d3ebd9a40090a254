import { text } from "node:stream/consumers";
import { describe, expect, it, vi } from "vitest";
import { useLogins, failure, nobody, killSessions } from "./testing/logins.ts";
import { freePort } from "./testing/sandbox.ts";

const logins = useLogins();
const { sandbox, open, knownHosts } = logins;

describe("jump hosts", () => {
  const viaTwo = async () => {
    const second = await sandbox.sshd({ authorized: [logins.key] });
    const inner = await sandbox.sshd({ authorized: [logins.key] });
    const config = sandbox.write(
      sandbox.unique("config"),
      `Host 127.0.0.1\n  IdentityFile ${logins.key.path}\nHost inner\n  HostName 127.0.0.1\n  Port ${inner.port}\n  ProxyJump 127.0.0.1:${logins.sshd.port},127.0.0.1:${second.port}\n`,
    );
    return {
      second,
      inner,
      options: {
        sshConfig: config,
        knownHosts: knownHosts(logins.sshd, second, inner),
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
      open("inner", { ...options, knownHosts: knownHosts(logins.sshd, inner) }),
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
          `Match host 127.0.0.1 user nobody\nHost *\nMatch originalhost bastion\n  HostName 127.0.0.1\n  Port ${logins.sshd.port}\n  IdentityFile ${logins.key.path}\nMatch originalhost 127.0.0.1\n  ProxyJump bastion\n`,
        ),
      }),
    );
    expect(error).toMatchObject({
      code: "server-unreachable",
      final: false,
      message: expect.stringContaining(
        `127.0.0.1:${port} cannot be reached from the jump host 127.0.0.1:${logins.sshd.port}`,
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
