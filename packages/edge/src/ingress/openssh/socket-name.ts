// Which control socket belongs to which identity: the file's name is the identity, or stands for it.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EdgeError } from "../../errors.ts";

/** sockaddr_un holds 108 bytes with the closing zero (unix(7)). */
const MAX_PATH_BYTES = 107;

// What infra/sshd/authorized-keys and infra/sshd/control-session take for a name. No dot and no hyphen in front.
const PLAIN_ID = /^[A-Za-z0-9][A-Za-z0-9._@+-]*$/;

/**
 * Gives the file name of an identity's control socket in `controlDir`: the identity itself where it can be one, else `~` and
 * a hash of it, which no identity can be the plain name of.
 *
 * @throws EdgeError `listen-failed` when the folder's path is so long that no socket fits
 */
export function socketName(controlDir: string, identityId: string): string {
  const plain = `${identityId}.sock`;
  if (PLAIN_ID.test(identityId) && fits(controlDir, plain)) return plain;
  const hash = createHash("sha256").update(identityId).digest("base64url");
  const hashed = `~${hash.slice(0, 32)}.sock`;
  if (fits(controlDir, hashed)) return hashed;
  throw new EdgeError(
    "listen-failed",
    `The path ${controlDir} is too long for Unix sockets in it, which have ${MAX_PATH_BYTES} bytes; choose a shorter ingress.openssh.control-dir.`,
  );
}

const fits = (folder: string, name: string): boolean =>
  Buffer.byteLength(join(folder, name)) <= MAX_PATH_BYTES;
