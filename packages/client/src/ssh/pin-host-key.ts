// Writes a server's key into a known_hosts file, so that the next contact can tell whether it is the same server.
import { randomBytes } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { ExposeError } from "../errors.ts";
import { keyTypeOf } from "./host-key-blob.ts";
import { hashHostName, hostName } from "./known-hosts.ts";

/**
 * Appends a key to a known_hosts file. Makes the file (0600) and its folder (0700) when they are missing; leaves the
 * modes of existing ones alone.
 *
 * @throws ExposeError `config-unreadable` when the file cannot be written
 */
export async function pinHostKey(
  file: string,
  host: string,
  port: number,
  key: Buffer,
): Promise<void> {
  const line = `${nameField(hostName(host, port))} ${keyTypeOf(key)} ${key.toString("base64")}\n`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(file, "a+", 0o600);
    try {
      // One write call: two processes that pin at the same time must not mix their lines.
      await handle.write((await lacksNewline(handle)) ? `\n${line}` : line);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new ExposeError(
      "config-unreadable",
      `The host key of ${host} cannot be written to ${file} (${(error as NodeJS.ErrnoException).code ?? String(error)}), and without it the next connection could not tell the server from another one. Make that file writable.`,
      { cause: error },
    );
  }
}

type FileHandle = Awaited<ReturnType<typeof open>>;

async function lacksNewline(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const last = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return last.bytesRead === 1 && last.buffer[0] !== 0x0a;
}

// A name with a character that means something in the file (an odd HostKeyAlias) is written as its hash.
function nameField(name: string): string {
  if (/^[\w.:[\]%-]+$/.test(name)) return name;
  const salt = randomBytes(20);
  return `|1|${salt.toString("base64")}|${hashHostName(name, salt).toString("base64")}`;
}
