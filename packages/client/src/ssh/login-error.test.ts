import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { useLogins, failure } from "./testing/logins.ts";
import { ssh2Server } from "./testing/ssh2-pair.ts";

const logins = useLogins();
const { sandbox, open, knownHosts } = logins;

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
    expect(connection.facts.keyUsed.fingerprint).toBe(logins.key.fingerprint);
  });
});
