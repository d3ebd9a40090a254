// Host keys of the embedded SSH server.
import ssh2 from "ssh2";
import { EdgeError } from "../../errors.ts";

/**
 * Makes a new host key.
 *
 * @returns an ed25519 private key in OpenSSH's PEM format, without a passphrase; keep it private to the edge
 */
export function generateHostKey(): string {
  for (;;) {
    const { private: text } = ssh2.utils.generateKeyPairSync("ed25519", {
      comment: "expose-edge host key",
    });
    // One key in 256 is unreadable: ssh2's lib/keygen.js strips zero bytes that belong to the public key.
    if (!(ssh2.utils.parseKey(text) instanceof Error)) return text;
  }
}

/**
 * Checks that host keys can be used.
 *
 * @throws EdgeError `host-key-invalid` when there is none, or one is no private key, is encrypted, or is an RSA or DSA
 *   key (ssh2 would offer SHA-1 for those)
 */
export function checkHostKeys(keys: readonly (string | Buffer)[]): void {
  if (keys.length === 0)
    throw new EdgeError(
      "host-key-invalid",
      "The embedded SSH server has no host key; give it one of type ed25519.",
    );
  keys.forEach((text, index) => {
    const which = `Host key ${index + 1} of ${keys.length}`;
    const key = ssh2.utils.parseKey(text);
    if (key instanceof Error)
      throw new EdgeError(
        "host-key-invalid",
        `${which} cannot be read; it must be a private key in OpenSSH or PEM format without a passphrase.`,
        { cause: key },
      );
    if (!key.isPrivateKey())
      throw new EdgeError(
        "host-key-invalid",
        `${which} is a public key; the private one is needed.`,
      );
    if (key.type !== "ssh-ed25519" && !key.type.startsWith("ecdsa-"))
      throw new EdgeError(
        "host-key-invalid",
        `${which} is of type ${key.type}; the embedded SSH server takes ed25519 and ECDSA alone.`,
      );
  });
}
