// What of an exchange is not written to disk unless somebody asked for it: what lets its holder in.
import type { Exchange, HeaderLine } from "@expose/protocol";

/** What stands in place of a secret. */
export const REDACTED = "[redacted]";
/** Stands for the request target among the names of redacted headers; no header can be called so. */
export const TARGET = ":path";

const SECRET_HEADERS = new Set([
  ...["authorization", "proxy-authorization", "cookie", "set-cookie"],
  ...["cookie2", "set-cookie2", "x-auth-email", "x-csrftoken", "x-xsrf-token"],
  ...["x-amz-security-token", "x-gitlab-token", "private-token", "job-token"],
]);
// X-Api-Key, Api-Key, X-Auth-Token, X-Vault-Token, X-Access-Key, X-Session-Id, X-Secret, X-Password …
const SECRET_WORD =
  /(?:^|[-_])(?:api[-_]?keys?|access[-_]?keys?|auth|tokens?|secrets?|passw(?:or)?d|credentials?|session(?:[-_]?id)?|jwt|csrf)(?:$|[-_])/i;
// What a webhook's sender signs with: without it nobody can look again why a signature failed.
const SIGNATURE =
  /signature|^x-hub-|^(?:webhook|svix)-|^x-shopify-|^x-slack-|hmac|digest|sec-websocket-/i;
// Fields whose value is an address, with a query that may hold what the target holds.
const ADDRESSES = new Set(["referer", "location", "content-location", "link"]);
const SECRET_PARAMETER =
  /^(?:access_?token|refresh_?token|id_?token|token|auth(?:orization|_?token)?|api_?-?key|key|apikey|secret|client_?secret|password|passwd|pwd|pass|sig|signature|code|session(?:_?id)?|sid|jwt|otp|x-amz-(?:signature|credential|security-token)|x-goog-signature)$/i;

/** Gives a copy without secrets that names what it lacks. Bodies and messages are not looked into. */
export function redact(exchange: Exchange): Exchange {
  const redacted = new Set(exchange.redacted);
  const { request, response } = exchange;
  const target = redactQuery(exchange.target);
  if (target !== exchange.target) redacted.add(TARGET);
  const clean = (lines: readonly HeaderLine[]): HeaderLine[] =>
    lines.map((line) => redactLine(line, redacted));
  const copy: Exchange = {
    ...exchange,
    target,
    ...(request && {
      request: {
        ...request,
        target,
        headers: clean(request.headers),
        trailers: clean(request.trailers),
      },
    }),
    ...(response && {
      response: {
        ...response,
        headers: clean(response.headers),
        trailers: clean(response.trailers),
        informational: response.informational.map((each) => ({
          ...each,
          headers: clean(each.headers),
        })),
      },
    }),
  };
  return { ...copy, redacted: [...redacted] };
}

/** @param name of a header, in any case */
export function isSecretHeader(name: string): boolean {
  const lower = name.toLowerCase();
  if (SECRET_HEADERS.has(lower)) return true;
  return SECRET_WORD.test(lower) && !SIGNATURE.test(lower);
}

/** Takes the values of secret parameters out of a target or an address; all else stays as it is written. */
export function redactQuery(target: string): string {
  const start = target.indexOf("?");
  if (start < 0) return target;
  return (
    target.slice(0, start + 1) +
    target
      .slice(start + 1)
      .replace(/([^&;=#<>\s]+)=([^&;#<>\s]*)/g, (pair, name: string) =>
        SECRET_PARAMETER.test(decode(name)) ? `${name}=${REDACTED}` : pair,
      )
  );
}

function redactLine(line: HeaderLine, redacted: Set<string>): HeaderLine {
  const [name, value] = line;
  if (value === "") return line;
  const lower = name.toLowerCase();
  const clean = isSecretHeader(lower)
    ? REDACTED
    : ADDRESSES.has(lower)
      ? redactQuery(value)
      : value;
  if (clean === value) return line;
  redacted.add(lower);
  return [name, clean];
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
