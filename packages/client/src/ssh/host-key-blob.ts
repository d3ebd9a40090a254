// What a public key in SSH's wire format (RFC 4253 section 6.6) says about itself.
import { createHash } from "node:crypto";

/** Fingerprint as ssh-keygen shows it: `SHA256:` and unpadded base64. */
export function fingerprintOf(key: Buffer): string {
  const digest = createHash("sha256").update(key).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

/**
 * The algorithm name that a key begins with, such as `ssh-ed25519`.
 *
 * @returns undefined when this is no key
 */
export function keyTypeOf(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  if (length === 0 || length > 100 || key.length < 4 + length) return undefined;
  const type = key.toString("latin1", 4, 4 + length);
  return /^[\x21-\x7e]+$/.test(type) ? type : undefined;
}

/** The name that ssh has for a type of key in messages: `ED25519`, `ECDSA`, `RSA`. */
export function shortKeyType(type: string): string {
  const short = /^(?:sk-)?(?:ssh-)?(ed25519|ecdsa|rsa|dss)/.exec(type)?.[1];
  return (short === "dss" ? "dsa" : (short ?? type)).toUpperCase();
}
