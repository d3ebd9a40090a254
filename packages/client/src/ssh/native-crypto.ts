// Whether ssh2 encrypts with its native addon. It is optional: built when ssh2 was installed, if there was a compiler.
import crypto from "ssh2/lib/protocol/crypto.js";

/** Without the addon everything works, at a fraction of the speed for uploads. */
export function hasNativeCrypto(): boolean {
  return crypto.bindingAvailable;
}
