// Which algorithms are offered. The list is pinned: what ssh2 would offer by itself includes SHA-1.
import type { Algorithms, ServerHostKeyAlgorithm } from "ssh2";

// RSA keys sign with SHA-2 (RFC 8332); "ssh-rsa", which means SHA-1, is not among them.
const HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/**
 * The algorithms for one connection, best first.
 *
 * @param knownTypes types of the host keys that are known for the server, which are asked for before all others
 */
export function algorithmsFor(
  knownTypes: ReadonlySet<string>,
): Required<Algorithms> {
  const isKnown = (algorithm: string): boolean =>
    knownTypes.has(algorithm.startsWith("rsa-sha2-") ? "ssh-rsa" : algorithm);
  return {
    kex: [
      "curve25519-sha256",
      "curve25519-sha256@libssh.org",
      "ecdh-sha2-nistp256",
      "ecdh-sha2-nistp384",
      "ecdh-sha2-nistp521",
      "diffie-hellman-group-exchange-sha256",
      "diffie-hellman-group16-sha512",
      "diffie-hellman-group18-sha512",
      "diffie-hellman-group14-sha256",
    ],
    serverHostKey: [
      ...HOST_KEY_ALGORITHMS.filter(isKnown),
      ...HOST_KEY_ALGORITHMS.filter((name) => !isKnown(name)),
    ],
    // aes128-gcm costs the least CPU of all, with ssh2's native addon and without it.
    cipher: [
      "aes128-gcm@openssh.com",
      "aes256-gcm@openssh.com",
      "chacha20-poly1305@openssh.com",
      "aes128-ctr",
      "aes192-ctr",
      "aes256-ctr",
    ],
    hmac: [
      "hmac-sha2-256-etm@openssh.com",
      "hmac-sha2-512-etm@openssh.com",
      "hmac-sha2-256",
      "hmac-sha2-512",
    ],
    // Compression costs more than it gives: what visitors fetch is compressed already, and mixing secrets with what
    // an attacker chooses leaks them by size.
    compress: ["none"],
  };
}
