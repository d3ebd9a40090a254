// Offers keys to a server one after the other. Those that an agent or a passphrase keeps are offered by their public half
// alone: the agent is asked to sign, or a person for the passphrase, only for a key that the server would accept.
import {
  BaseAgent,
  type AuthHandlerMiddleware,
  type IdentityCallback,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
} from "ssh2";
import { ExposeError } from "../errors.ts";
import { fingerprintOf } from "./host-key-blob.ts";
import {
  unusableSentence,
  type FileIdentity,
  type Identities,
  type Identity,
} from "./identity.ts";
import type { Keyring } from "./keyring.ts";
import { printable } from "./log.ts";
import type { SshTarget } from "./target.ts";

/** What a login hears while keys are offered. */
export interface KeyOfferEvents {
  /** The key is wanted and locked. Nothing more is sent on this connection. */
  locked(identity: FileIdentity): void;
  /** A signature is being made, which may wait for a person: agents can ask, and cards want to be touched. */
  signing(identity: Identity): void;
  signed(): void;
  /** No key is left to offer, or the server wants something else. Nothing more is sent on this connection. */
  exhausted(): void;
}

// OpenSSH servers end the connection at the sixth failure (MaxAuthTries) and count it against the address.
const MAX_OFFERS = 6;

/** The keys of one login, over as many connections as it takes. */
export class KeyOffers {
  readonly #target: SshTarget;
  readonly #keyring: Keyring;
  readonly #found: Identities;
  #queue: Identity[];
  readonly #offered: { identity: Identity; problem?: string }[] = [];
  readonly #unopened: ExposeError[] = [];
  #methods: readonly string[] | undefined;
  #partial = false;
  #isEdge = false;

  constructor(target: SshTarget, found: Identities, keyring: Keyring) {
    this.#target = target;
    this.#found = found;
    this.#queue = [...found.identities];
    this.#keyring = keyring;
  }

  /** The key that was offered last; after a login, the one that was accepted. */
  get current(): Identity | undefined {
    return this.#offered.at(-1)?.identity;
  }

  /** Fingerprint of that key; locked files show theirs only once they are open. */
  get currentFingerprint(): string {
    const { current } = this;
    const key =
      current?.publicKey ??
      (current?.source === "file"
        ? this.#keyring.privateKeyOf(current.file)
        : undefined);
    return key ? fingerprintOf(key.getPublicSSH()) : "unknown";
  }

  /** Whether no key is left to offer. */
  get exhausted(): boolean {
    return this.#queue.length === 0;
  }

  /**
   * Whether the key that was offered last signs without being asked whether it would do, which saves a round trip: it
   * lies open in a file. An agent may ask a person for every signature.
   */
  get signAtOnce(): boolean {
    const { current } = this;
    return (
      current?.source === "file" &&
      this.#keyring.privateKeyOf(current.file) !== undefined
    );
  }

  /** Whether the server's signature algorithms (RFC 8308) have to be known before the next key is offered. */
  get needServerAlgorithms(): boolean {
    const [next] = this.#queue;
    if (!next) return false;
    const key =
      next.publicKey ??
      (next.source === "file"
        ? this.#keyring.privateKeyOf(next.file)
        : undefined);
    return key?.type === "ssh-rsa";
  }

  /** Offers a key (again) before all others: it was opened since, and the server is known to want it. */
  prefer(identity: Identity): void {
    this.#queue.unshift(identity);
  }

  /** Leaves a locked key out, because it could not be opened. */
  giveUp(error: ExposeError): void {
    this.#unopened.push(error);
  }

  /** Takes note that the server is an edge's own: who adds keys there, and how, is no guess then. */
  noteEdge(): void {
    this.#isEdge = true;
  }

  /** Takes note of what the server said to the last offer: the methods that it would accept. */
  noteRefusal(methods: readonly string[], partialSuccess: boolean): void {
    this.#methods = methods;
    this.#partial ||= partialSuccess;
  }

  /** Gives an authHandler for one connection. It offers keys at once: probing with `none` would cost a round trip. */
  handler(events: KeyOfferEvents): AuthHandlerMiddleware {
    let offers = 0;
    return (_methods, _partialSuccess, next) => {
      const wanted = this.#methods?.includes("publickey") ?? true;
      const identity =
        wanted && offers < MAX_OFFERS ? this.#queue.shift() : undefined;
      if (!identity) return events.exhausted();
      offers++;
      const privateKey =
        identity.source === "file"
          ? this.#keyring.privateKeyOf(identity.file)
          : undefined;
      const publicKey = identity.publicKey ?? privateKey;
      // A locked file that hides even its public half has to be opened before it can be offered.
      if (!publicKey) return events.locked(identity as FileIdentity);
      const offer: { identity: Identity; problem?: string } = { identity };
      this.#offered.push(offer);

      const sign: Sign = (data, hash, done) => {
        const fail = (error: Error): void => {
          offer.problem = error.message;
          done(error);
        };
        if (publicKey.type === "ssh-rsa" && (hash ?? "sha1") === "sha1")
          return fail(
            new Error("the server takes RSA signatures with SHA-1 only"),
          );
        if (identity.source === "agent") {
          events.signing(identity);
          identity.agent.sign(
            publicKey,
            data,
            { ...(hash && { hash }) },
            (error, signature) => {
              events.signed();
              if (error || !signature)
                fail(
                  new Error("the agent did not sign with it", { cause: error }),
                );
              else done(null, signature);
            },
          );
        } else if (privateKey) {
          // ssh2 returns what its types say it throws.
          const signature: Buffer | Error = privateKey.sign(data, hash);
          if (signature instanceof Error) fail(signature);
          else done(null, signature);
        } else {
          this.#offered.pop();
          events.locked(identity);
        }
      };
      next({
        type: "agent",
        username: this.#target.user,
        agent: new OneKeyAgent(publicKey, sign),
      });
    };
  }

  /** Why no key was accepted, and what to do. */
  failure(): ExposeError {
    const { user, label, port } = this.#target;
    const who = `${user}@${label}`;
    if (this.#partial)
      return new ExposeError(
        "auth-failed",
        `${who} accepted ${this.#name(this.current)} and asks for more (${this.#methodList()}), which is not supported. Use an account that a key alone opens.`,
      );
    if (this.#methods && !this.#methods.includes("publickey"))
      return new ExposeError(
        "auth-failed",
        `${who} does not accept keys, only ${this.#methodList()}, which is not supported. Switch on PubkeyAuthentication at the server.`,
      );
    const [unopened] = this.#unopened;
    if (unopened) return unopened;
    const left =
      this.#queue.length > 0
        ? ` ${this.#queue.length} more were not tried, because servers end the connection after ${MAX_OFFERS}: name the right one with --identity.`
        : "";
    const copy =
      port === 22
        ? `ssh-copy-id ${who}`
        : `ssh-copy-id -p ${port} ${user}@${this.#target.host}`;
    const advice = this.#isEdge
      ? "Send the public half of one (the file that ends in .pub) to whoever runs this edge; `expose-edge keys add NAME FILE` adds it."
      : `Have a key added at the server (${copy}, or at an expose edge: expose-edge keys add), and check the user name.`;
    const tried = this.#offered
      .map(
        ({ identity, problem }) =>
          `${this.#name(identity)}${problem ? `: ${problem}` : ""}`,
      )
      .join(", ");
    return new ExposeError(
      "auth-failed",
      `${who} accepts none of the keys that were offered: ${tried || "none could be"}.${left}${unusableSentence(this.#found.report)} ${advice}`,
    );
  }

  #methodList(): string {
    return printable(this.#methods?.join(", ") ?? "") || "no method";
  }

  #name(identity: Identity | undefined): string {
    if (!identity) return "a key";
    const origin = identity.source === "agent" ? ", from the agent" : "";
    return `${identity.name} (${identity.fingerprint ?? "locked"}${origin})`;
  }
}

type Hash = SigningRequestOptions["hash"];
type Sign = (data: Buffer, hash: Hash, done: SignCallback) => void;

// An agent is the one way that ssh2 has to sign asynchronously. One for each key, so that we choose what comes next.
class OneKeyAgent extends BaseAgent<ParsedKey> {
  readonly #key: ParsedKey;
  readonly #sign: Sign;

  constructor(key: ParsedKey, sign: Sign) {
    super();
    this.#key = key;
    this.#sign = sign;
  }

  override getIdentities(done: IdentityCallback<ParsedKey>): void {
    done(null, [this.#key]);
  }

  override sign(
    _key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    done: SignCallback = () => {},
  ): void {
    if (typeof options === "function") this.#sign(data, undefined, options);
    else this.#sign(data, options.hash, done);
  }
}
