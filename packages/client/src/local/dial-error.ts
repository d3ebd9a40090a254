// Says in one sentence of our own why the local service cannot be reached. Visitors read it: nothing of the upstream's
// own text may stand in it.
import { formatUpstreamSpec, type UpstreamSpec } from "@expose/protocol";
import { ForbiddenUpstreamError } from "./checked-dial.ts";
import { DIAL_TIMEOUT_MS, DialTimeoutError } from "./dial.ts";
import { CertificateError } from "./tls.ts";

/** Why a dial failed. */
export interface DialFailure {
  /** One sentence for an error page, with the mend where there is one. */
  reason: string;
  /** Whether a short restart of the service could be the cause, so that trying again may help. */
  passing: boolean;
}

/** @param error what a {@link Dialer} threw */
export function explainDialError(
  spec: UpstreamSpec,
  error: unknown,
): DialFailure {
  const name = formatUpstreamSpec(spec);
  if (error instanceof CertificateError)
    return {
      passing: false,
      reason: `The certificate of ${name} cannot be verified (${certificateReasons[error.code] ?? error.code}); use https+insecure://${name.slice("https://".length)} or --upstream-ca FILE.`,
    };
  if (error instanceof DialTimeoutError)
    return {
      passing: false,
      reason: `${name} did not answer within ${DIAL_TIMEOUT_MS / 1_000} seconds.`,
    };
  if (error instanceof ForbiddenUpstreamError)
    return { passing: false, reason: `${name} is not open to visitors.` };
  const code = codeOf(error);
  if (spec.kind === "tls" && /^(?:EPROTO|ERR_SSL_\w+)$/.test(code))
    return {
      passing: false,
      reason: `What listens on ${name} does not speak TLS as expected; without TLS it is http://${name.replace(/^[^:]*:\/\//, "")}.`,
    };
  const known = reasons[code];
  return known
    ? { passing: known.passing, reason: known.say(name) }
    : { passing: false, reason: `${name} cannot be reached (${code}).` };
}

interface Reason {
  say(name: string): string;
  passing: boolean;
}

const reasons: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: {
    say: (name) => `Nothing listens on ${name} (connection refused).`,
    passing: true,
  },
  ENOENT: {
    say: (name) => `Nothing listens on ${name} (there is no such socket).`,
    passing: true,
  },
  ENOTSOCK: {
    say: (name) => `Nothing listens on ${name} (it is no socket).`,
    passing: true,
  },
  ECONNRESET: {
    say: (name) => `${name} closed the connection at once.`,
    passing: true,
  },
  // A Unix socket whose backlog is full.
  EAGAIN: {
    say: (name) => `${name} takes no more connections at the moment.`,
    passing: true,
  },
  EACCES: {
    say: (name) => `${name} may not be opened (permission denied).`,
    passing: false,
  },
  ENOTFOUND: {
    say: (name) => `The host of ${name} is not known (DNS).`,
    passing: false,
  },
  EAI_AGAIN: {
    say: (name) => `The host of ${name} could not be looked up (DNS).`,
    passing: true,
  },
  EHOSTUNREACH: {
    say: (name) => `${name} cannot be reached (no route to the host).`,
    passing: true,
  },
  ENETUNREACH: {
    say: (name) => `${name} cannot be reached (no route to the network).`,
    passing: true,
  },
  ETIMEDOUT: { say: (name) => `${name} did not answer.`, passing: false },
  EMFILE: {
    say: (name) =>
      `${name} cannot be reached: expose has no file descriptors left (ulimit -n).`,
    passing: true,
  },
};

const certificateReasons: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its authority is not known here",
  UNABLE_TO_GET_ISSUER_CERT: "its authority is not known here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its authority is not known here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its authority is not known here",
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is made out to another name",
};

// Codes are the system's and OpenSSL's own words, and short; messages may quote what the upstream sent.
function codeOf(error: unknown): string {
  const code =
    error instanceof Error && "code" in error ? String(error.code) : "";
  return /^[A-Z][A-Z0-9_]{0,60}$/.test(code) ? code : "unknown error";
}
