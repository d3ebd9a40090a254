// Reads a private key file: what it holds, whether it is locked by a passphrase, and opens it.
import { createHash, createPrivateKey } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { utils, type ParsedKey } from "ssh2";
import { explainUnusableType } from "./agent.ts";
import { keyTypeOf } from "./host-key-blob.ts";

/** A key file that can be used, with a passphrase at the latest. */
export interface KeyFile {
  readonly path: string;
  /** The public half. Undefined in locked files of the old format without a `.pub` beside them. */
  readonly publicKey: ParsedKey | undefined;
  /** Undefined: the file is locked. */
  readonly privateKey: ParsedKey | undefined;
  /** Stands for what is in the file, so that an opened key is not taken for a file that has changed since. */
  readonly contentId: string;
  /**
   * Opens a locked file. Blocks for about a second: the key derivation is slow on purpose.
   * @returns undefined when the passphrase is wrong
   */
  unlock(passphrase: string): ParsedKey | undefined;
}

/** What else a path may lead to. */
export type KeyFileResult =
  | { kind: "key"; file: KeyFile }
  /** A public key; its private half may be in the agent. */
  | { kind: "public"; publicKey: ParsedKey }
  | { kind: "missing" }
  /** `reason` is one clause: "it is a folder". */
  | { kind: "unusable"; reason: string };

// As in OpenSSH: authfile.c, MAX_KEY_FILE_SIZE.
const MAX_KEY_FILE_BYTES = 1024 * 1024;

/** Reads a file that should be a private key. Asks nobody and never throws. */
export async function readKeyFile(path: string): Promise<KeyFileResult> {
  let text: string;
  try {
    const info = await stat(path);
    if (info.isDirectory()) return unusable("it is a folder");
    if (info.size > MAX_KEY_FILE_BYTES) return unusable("it is no private key");
    text = await readFile(path, "utf8");
    if (!/PRIVATE KEY|^PuTTY-User-Key-File-/m.test(text))
      return parsePublic(text);
    // As ssh: others could have taken the key. Only for files of one's own, so that a root-owned secret mount works.
    if (
      process.platform !== "win32" &&
      (info.mode & 0o077) !== 0 &&
      info.uid === process.getuid?.()
    )
      return unusable(
        `its permissions ${(info.mode & 0o777).toString(8).padStart(4, "0")} are too open; run chmod 600 on it`,
      );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR"
      ? { kind: "missing" }
      : unusable(`it cannot be read (${code})`);
  }
  if (!isLocked(text)) {
    const key = parsePrivate(text, undefined);
    if (key instanceof Error) return unusable(explainParseError(text, key));
    if (explainUnusableType(key.type))
      return unusable(explainUnusableType(key.type)!);
    return keyFile(path, text, key, key);
  }
  const publicKey = await readPublicHalf(path, text);
  if (typeof publicKey === "string") return unusable(publicKey);
  return keyFile(path, text, publicKey, undefined);
}

function keyFile(
  path: string,
  text: string,
  publicKey: ParsedKey | undefined,
  privateKey: ParsedKey | undefined,
): KeyFileResult {
  return {
    kind: "key",
    file: {
      path,
      publicKey,
      privateKey,
      contentId: createHash("sha256").update(text).digest("base64"),
      unlock(passphrase) {
        const key = parsePrivate(text, passphrase);
        return key instanceof Error ? undefined : key;
      },
    },
  };
}

const unusable = (reason: string): KeyFileResult => ({
  kind: "unusable",
  reason,
});

function parsePublic(text: string): KeyFileResult {
  const key = utils.parseKey(text);
  if (!(key instanceof Error) && !key.isPrivateKey())
    return { kind: "public", publicKey: key };
  const type = /^(?:\S+ )?((?:sk-|ssh-|ecdsa-)[\w@.-]+) AAAA/.exec(text)?.[1];
  return unusable(
    (type && explainUnusableType(type)) ?? "it is no private key",
  );
}

function parsePrivate(
  text: string,
  passphrase: string | undefined,
): ParsedKey | Error {
  const key = utils.parseKey(fromPkcs8(text, passphrase) ?? text, passphrase);
  if (key instanceof Error) return key;
  return key.isPrivateKey() ? key : new Error("no private key inside");
}

// ssh2 does not read PKCS#8 ("BEGIN PRIVATE KEY"), which OpenSSL and `ssh-keygen -m PKCS8` write; Node does.
function fromPkcs8(
  text: string,
  passphrase: string | undefined,
): string | undefined {
  if (!/-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/.test(text))
    return undefined;
  try {
    const key = createPrivateKey({
      key: text,
      ...(passphrase !== undefined && { passphrase }),
    });
    const type = key.asymmetricKeyType === "rsa" ? "pkcs1" : "sec1";
    return key.export({ format: "pem", type }).toString();
  } catch {
    return undefined;
  }
}

function isLocked(text: string): boolean {
  if (/ENCRYPTED|^Encryption: (?!none)/m.test(text)) return true;
  const header = openSshHeader(text);
  return header !== undefined && header.cipher !== "none";
}

async function readPublicHalf(
  path: string,
  text: string,
): Promise<ParsedKey | string | undefined> {
  const header = openSshHeader(text);
  if (header) {
    const type = keyTypeOf(header.publicKey) ?? "unknown";
    const key = utils.parseKey(header.publicKey);
    if (key instanceof Error)
      return (
        explainUnusableType(type) ?? `keys of type ${type} are not supported`
      );
    return key;
  }
  const beside = await readFile(`${path}.pub`, "utf8").catch(() => undefined);
  const key = beside === undefined ? undefined : utils.parseKey(beside);
  return key instanceof Error ? undefined : key;
}

/**
 * The open part of OpenSSH's own format (openssh/openssh-portable, PROTOCOL.key): it names the cipher and holds the
 * public key, so that the server can be asked about a key before a person is asked for its passphrase.
 */
function openSshHeader(
  text: string,
): { cipher: string; publicKey: Buffer } | undefined {
  const base64 = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(
    text,
  )?.[1];
  if (!base64) return undefined;
  const data = Buffer.from(base64, "base64");
  const magic = "openssh-key-v1\0";
  if (!data.toString("latin1").startsWith(magic)) return undefined;
  let position = magic.length;
  const readString = (): Buffer | undefined => {
    if (data.length < position + 4) return undefined;
    const start = position + 4;
    position = start + data.readUInt32BE(position);
    return position <= data.length ? data.subarray(start, position) : undefined;
  };
  const cipher = readString()?.toString("latin1");
  readString(); // name of the key derivation
  readString(); // its options
  position += 4; // number of keys, which is one
  const publicKey = readString();
  return cipher !== undefined && publicKey ? { cipher, publicKey } : undefined;
}

function explainParseError(text: string, error: Error): string {
  const type = openSshHeader(text) && keyTypeOf(openSshHeader(text)!.publicKey);
  if (type && explainUnusableType(type)) return explainUnusableType(type)!;
  return /-----BEGIN PRIVATE KEY-----/.test(text)
    ? "its format (PKCS#8) is not supported for this type of key; make a new one with ssh-keygen -t ed25519"
    : `it is damaged or of a kind that is not supported (${error.message})`;
}
