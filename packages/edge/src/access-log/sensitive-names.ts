// Which headers and query parameters carry secrets, told by their names.

/** What the operator says on top. Names in lower case. */
export interface NameRules {
  /** Secret although nothing in the name says so. */
  readonly redact: readonly string[];
  /** Shown although the name looks secret. Goes before everything else. */
  readonly keep: readonly string[];
}

// Long enough to be recognised inside of other words: accesstoken, client_secret, X-Hub-Signature-256.
const TELLING_PARTS =
  /token|secret|passw|passphrase|signature|credential|api-?_?key|authori[sz]ation|assertion|hmac|jwt|cookie|session/;

// Short ones count as whole words only: "code" is an OAuth grant, "zipcode" and "monkey" are none.
const TELLING_WORDS = new Set([
  "auth",
  "code",
  "dpop",
  "key",
  "nonce",
  "otp",
  "pass",
  "pin",
  "pw",
  "pwd",
  "sid",
  "sig",
  "sign",
  "state",
  "ticket",
]);

// They look like secrets and are none; without them a log of WebSockets or of retries is hard to read.
const HARMLESS = new Set([
  "idempotency-key",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "access-control-request-headers",
  "signature-input",
  "www-authenticate",
]);

// Browsers have no other header to put a token into when they open a WebSocket.
const ALWAYS = new Set(["sec-websocket-protocol"]);

// Names come from strangers; a cache of them must have an end, and hold no long ones.
const MAX_CACHED = 2_000;
const MAX_CACHED_LENGTH = 64;
const MAX_JUDGED_LENGTH = 200;

/** Builds the judge of names, for headers and query parameters alike. Case does not matter. */
export function createNameJudge(rules: NameRules): (name: string) => boolean {
  const keep = new Set(rules.keep);
  const redact = new Set(rules.redact);
  const cache = new Map<string, boolean>();
  return (name) => {
    let sensitive = cache.get(name);
    if (sensitive === undefined) {
      const lower = name.toLowerCase();
      sensitive =
        !keep.has(lower) && (redact.has(lower) || looksSensitive(name));
      if (name.length > MAX_CACHED_LENGTH) return sensitive;
      if (cache.size >= MAX_CACHED) cache.clear();
      cache.set(name, sensitive);
    }
    return sensitive;
  };
}

/** Whether a name tells that its value is a secret: `Authorization`, `x-api-key`, `accessToken`, `user[password]`. */
export function looksSensitive(name: string): boolean {
  // Nobody needs so long a name; whoever sends it hides something in it.
  if (name.length > MAX_JUDGED_LENGTH) return true;
  const lower = name.toLowerCase();
  if (ALWAYS.has(lower)) return true;
  if (HARMLESS.has(lower)) return false;
  if (TELLING_PARTS.test(lower)) return true;
  // "signingKey" is two words, and "DPoP" is one.
  const split = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return `${lower} ${split}`
    .split(/[^a-z]+/)
    .some((word) => TELLING_WORDS.has(word));
}
