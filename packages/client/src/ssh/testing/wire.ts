// Bytes of SSH's wire format for tests: what no tool at hand makes.
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Sandbox } from "./sandbox.ts";

/** A string of RFC 4251 section 5. */
export function sshString(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Public half of a security key (openssh/openssh-portable, PROTOCOL.u2f), which only hardware makes. */
export const SECURITY_KEY_BLOB = Buffer.concat([
  sshString("sk-ssh-ed25519@openssh.com"),
  sshString(Buffer.alloc(32, 7)),
  sshString("ssh:"),
]);

/** A private key file of OpenSSH's format (PROTOCOL.key) that holds a security key and is not locked. */
export function securityKeyFile(): string {
  const secret = Buffer.concat([
    Buffer.alloc(8, 1),
    SECURITY_KEY_BLOB,
    Buffer.from([1]),
    sshString(Buffer.alloc(64)),
    sshString(""),
    sshString("touch me"),
  ]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(
    0,
    -secret.length & 7,
  );
  const data = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    sshString("none"),
    sshString("none"),
    sshString(""),
    Buffer.from([0, 0, 0, 1]),
    sshString(SECURITY_KEY_BLOB),
    sshString(Buffer.concat([secret, padding])),
  ]);
  const lines = data.toString("base64").replace(/.{70}/g, "$&\n");
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** Answers as an agent that holds these keys and signs nothing. For a server on a Unix socket. */
export function speakAsAgent(
  keys: readonly { blob: Buffer; comment: string }[],
) {
  return (socket: Socket): void => {
    const body = Buffer.concat([
      Buffer.from([12, 0, 0, 0, keys.length]),
      ...keys.flatMap(({ blob, comment }) => [
        sshString(blob),
        sshString(comment),
      ]),
    ]);
    socket.on("error", () => {});
    socket.once("data", () => socket.write(sshString(body)));
  };
}

/** Listens on a Unix socket, as agents do. @returns its path */
export async function agentServer(
  sandbox: Sandbox,
  handler: (socket: Socket) => void,
): Promise<string> {
  const path = sandbox.unique("fake-agent");
  const server = createServer(handler).listen(path);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return path;
}
