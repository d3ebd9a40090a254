// Host keys for servers of ssh2's in tests.
import ssh2 from "ssh2";

/** A fresh ed25519 private key that ssh2 can read: of those that it makes, one in 256 it cannot. */
export function ssh2HostKey(): string {
  for (;;) {
    const { private: key } = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(key) instanceof Error)) return key;
  }
}
