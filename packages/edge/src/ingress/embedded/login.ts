// Who may log in: whoever proves to hold a key of the users file. ssh2 checks nothing of this by itself, neither the
// signature nor the number of tries.
import ssh2, {
  type AuthContext,
  type Connection,
  type PublicKeyAuthContext,
} from "ssh2";
import type { Identity } from "../../registry/identity.ts";

/** A key that its holder has proved to hold. */
export interface ProvenKey {
  readonly identity: Identity;
  readonly blob: Buffer;
  readonly algorithm: string;
}

/** What the login needs and whom it tells. */
export interface LoginOptions {
  readonly findIdentity: (
    keyBlob: Buffer,
    algorithm: string,
  ) => Identity | undefined;
  readonly maxAuthTries: number;
  /** The login succeeded; the client is told so right afterwards. */
  readonly accepted: (key: ProvenKey) => void;
  /** One try too many. Must end the connection. */
  readonly exhausted: (username: string) => void;
}

// DSA keys and RSA with SHA-1 are out.
const KEY_TYPES = new Set([
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
]);

// A client asks whether a key would do before it signs with it (RFC 4252 section 7). A yes is no try, but not free.
const QUESTIONS_PER_TRY = 4;

/**
 * Answers a connection's authentication requests (RFC 4252). The user name is ignored: the key alone says who it is,
 * and every name and key gets the same answer, so that nothing can be found out by asking.
 */
export function guardLogin(
  connection: Connection,
  options: LoginOptions,
): void {
  let requests = 0;
  let refusals = 0;

  connection.on("authentication", (context: AuthContext) => {
    requests++;
    if (context.method === "none" && requests === 1) return refuse(context);
    if (
      context.method === "publickey" &&
      requests <= options.maxAuthTries * QUESTIONS_PER_TRY
    ) {
      const identity = findOwner(context);
      if (identity && context.signature === undefined) return context.accept();
      if (identity && isProven(context)) {
        const { algo: algorithm, data: blob } = context.key;
        options.accepted({ identity, blob, algorithm });
        return context.accept();
      }
    }
    // The last one gets no answer, and while it has none ssh2 holds back what was sent behind it.
    if (++refusals >= options.maxAuthTries) options.exhausted(context.username);
    else refuse(context);
  });

  function findOwner(context: PublicKeyAuthContext): Identity | undefined {
    const { algo, data } = context.key;
    if (!KEY_TYPES.has(algo)) return undefined;
    // ssh2 calls both "ssh-rsa" and the SHA-2 algorithms of RFC 8332 by that name; only the latter have a hash.
    if (algo === "ssh-rsa" && context.hashAlgo === undefined) return undefined;
    return options.findIdentity(data, algo);
  }
}

// Without a signature that verifies, anybody who has read a public key could log in with it.
function isProven(context: PublicKeyAuthContext): boolean {
  const { algo, data } = context.key;
  if (context.signature === undefined || context.blob === undefined)
    return false;
  const key = ssh2.utils.parseKey(data);
  if (key instanceof Error || Array.isArray(key)) return false;
  // What is verified must be what was looked up, not something that merely parses like it.
  if (key.type !== algo || !key.getPublicSSH().equals(data)) return false;
  // An Error here means false, too: `=== true`, as ssh2 asks for.
  return key.verify(context.blob, context.signature, context.hashAlgo) === true;
}

function refuse(context: AuthContext): void {
  context.reject(["publickey"]);
}
