// Public keys as they stand in authorized_keys: checks that a key is whole, strong enough and of a type that can log in.
import { createHash, createPublicKey } from "node:crypto";

/** A public key that can log in. */
export interface PublicKey {
  /** `ssh-ed25519`, `ssh-rsa`, … as written in front of the blob and in it. */
  readonly type: string;
  /** RFC 4253 section 6.6. */
  readonly blob: Buffer;
  /** As `ssh-keygen -l` shows it: `SHA256:…`. */
  readonly fingerprint: string;
}

/** A key that cannot be used; the message says why and never quotes the key. */
export class PublicKeyProblem extends Error {
  override name = "PublicKeyProblem";
}

type Check = (fields: Fields) => void;

const MIN_RSA_BITS = 2_048;
// OpenSSH's own bound (SSHBUF_MAX_BIGNUM): longer ones cost an attacker nothing and us a second each.
const MAX_RSA_BITS = 16_384;

const checks: ReadonlyMap<string, Check> = new Map([
  ["ssh-ed25519", checkEd25519],
  ["ssh-rsa", checkRsa],
  ["ecdsa-sha2-nistp256", (fields) => checkEcdsa(fields, "nistp256")],
  ["ecdsa-sha2-nistp384", (fields) => checkEcdsa(fields, "nistp384")],
  ["ecdsa-sha2-nistp521", (fields) => checkEcdsa(fields, "nistp521")],
  // Security keys (OpenSSH's PROTOCOL.u2f); the embedded ingress cannot verify them, a stock sshd can.
  [
    "sk-ssh-ed25519@openssh.com",
    (fields) => {
      checkEd25519(fields);
      fields.next();
    },
  ],
  [
    "sk-ecdsa-sha2-nistp256@openssh.com",
    (fields) => {
      checkEcdsa(fields, "nistp256");
      fields.next();
    },
  ],
]);

/** Types that can log in. */
const keyTypes: readonly string[] = [...checks.keys()];

/** Whether a word names a type of key, usable or not. It then begins the key, and is no option. */
export const isKeyType = (word: string): boolean =>
  checks.has(word) ||
  /^(?:ssh|ecdsa-sha2|sk-(?:ssh|ecdsa-sha2))-[a-z0-9@.-]+$/.test(word);

/**
 * Reads a key.
 *
 * @param base64 the second word of a line in authorized_keys
 * @throws PublicKeyProblem
 */
export function readPublicKey(type: string, base64: string): PublicKey {
  if (type.includes("-cert-v"))
    throw new PublicKeyProblem(
      "certificates are not supported; give the plain public key",
    );
  if (type === "ssh-dss")
    throw new PublicKeyProblem(
      "DSA keys are too weak; make a new one with `ssh-keygen -t ed25519`",
    );
  const check = checks.get(type);
  if (!check)
    throw new PublicKeyProblem(
      `keys of this type cannot log in; use one of ${keyTypes.join(", ")}`,
    );
  const blob = Buffer.from(base64, "base64");
  // Buffer.from ignores what is no base64, and would make something of every text.
  if (blob.toString("base64").replace(/=+$/, "") !== base64.replace(/=+$/, ""))
    throw new PublicKeyProblem("the key is not whole: it is not base64");
  const fields = new Fields(blob);
  if (fields.next().toString("latin1") !== type)
    throw new PublicKeyProblem(
      `the key is of another type than the ${type} in front of it`,
    );
  check(fields);
  fields.end();
  return { type, blob, fingerprint: fingerprintOf(blob) };
}

/** The fingerprint of a key blob, as `ssh-keygen -l` shows it. */
export const fingerprintOf = (blob: Buffer): string =>
  `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;

// The fields of a key blob: each a length in four bytes and as many bytes (RFC 4251 section 5, string).
class Fields {
  #rest: Buffer;

  constructor(blob: Buffer) {
    this.#rest = blob;
  }

  next(): Buffer {
    const length =
      this.#rest.length >= 4 ? this.#rest.readUInt32BE(0) : Infinity;
    if (this.#rest.length < 4 + length)
      throw new PublicKeyProblem("the key is not whole: its end is missing");
    const field = this.#rest.subarray(4, 4 + length);
    this.#rest = this.#rest.subarray(4 + length);
    return field;
  }

  end(): void {
    if (this.#rest.length > 0)
      throw new PublicKeyProblem("the key is not whole: it has bytes too many");
  }
}

function checkEd25519(fields: Fields): void {
  if (fields.next().length !== 32)
    throw new PublicKeyProblem("the key is not whole: it has not 32 bytes");
}

function checkRsa(fields: Fields): void {
  const exponent = fields.next();
  const modulus = fields.next();
  // A positive mpint has a zero byte in front only where its first bit would make it negative.
  const first = modulus[0] === 0 ? 1 : 0;
  const bits =
    modulus.length === first
      ? 0
      : (modulus.length - first - 1) * 8 + (32 - Math.clz32(modulus[first]!));
  if (bits < MIN_RSA_BITS)
    throw new PublicKeyProblem(
      `RSA keys need ${MIN_RSA_BITS} bits, this one has ${bits}; make a new one with \`ssh-keygen -t ed25519\``,
    );
  if (bits > MAX_RSA_BITS)
    throw new PublicKeyProblem(
      `RSA keys may have ${MAX_RSA_BITS} bits, this one has ${bits}`,
    );
  if (exponent.length === 0 || (exponent.at(-1)! & 1) === 0)
    throw new PublicKeyProblem("the key is broken: its exponent is even");
}

const curves = {
  nistp256: { jwk: "P-256", bytes: 32 },
  nistp384: { jwk: "P-384", bytes: 48 },
  nistp521: { jwk: "P-521", bytes: 66 },
} as const;

// RFC 5656 section 3.1.
function checkEcdsa(fields: Fields, curve: keyof typeof curves): void {
  const { jwk, bytes } = curves[curve];
  const named = fields.next().toString("latin1");
  const point = fields.next();
  if (named !== curve || point.length !== 1 + 2 * bytes || point[0] !== 4)
    throw new PublicKeyProblem(
      "the key is not whole: it holds no point of its curve",
    );
  const x = point.toString("base64url", 1, 1 + bytes);
  const y = point.toString("base64url", 1 + bytes);
  try {
    createPublicKey({ key: { kty: "EC", crv: jwk, x, y }, format: "jwk" });
  } catch {
    throw new PublicKeyProblem(
      "the key is broken: its point is not on its curve",
    );
  }
}
