// One thing that `expose doctor` looks at.
import { ExposeError, type ClientErrorCode } from "../../errors.ts";

/** SKIP: not looked at, because something before it failed or it was not asked for. */
export type CheckStatus = "PASS" | "WARN" | "FAIL" | "SKIP";

/** A finding. */
export interface Check {
  name: string;
  status: CheckStatus;
  /** What was found, in one line. Never a secret. */
  detail: string;
  /** What to do about it. Set for WARN and FAIL. */
  action?: string;
}

export const pass = (name: string, detail: string): Check => ({
  name,
  status: "PASS",
  detail,
});

export const warn = (name: string, detail: string, action: string): Check => ({
  name,
  status: "WARN",
  detail,
  action,
});

export const fail = (name: string, detail: string, action: string): Check => ({
  name,
  status: "FAIL",
  detail,
  action,
});

export const skip = (name: string, detail: string): Check => ({
  name,
  status: "SKIP",
  detail,
});

/**
 * The finding that an error amounts to.
 * @throws what is no ExposeError: a bug is no finding
 */
export function failBecause(name: string, error: unknown): Check {
  if (!(error instanceof ExposeError) || error.code === "aborted") throw error;
  const [first = "", ...more] = error.message.split("\n");
  const detail = [first, ...more.map((line) => line.trim())].join(" ");
  // Where the message ends with what to do, that stands where a finding has it, and once.
  const [, found, advice] = /^(.+?[.:]) (Check .+)$/.exec(detail) ?? [];
  return fail(
    name,
    found ?? detail,
    advice ??
      actions[error.code] ??
      `read about ${error.code} in docs/errors.md`,
  );
}

// The messages say what is special about a case; these are the next commands to type.
const actions: Partial<Record<ClientErrorCode, string>> = {
  "config-invalid": "mend the lines that are listed",
  "config-unreadable":
    "mend the file's permissions, or name another one with --config",
  "server-missing": "expose login user@host",
  "server-not-ssh": "give the port of the SSH server, as in user@host:2222",
  "handshake-failed": "update the older one of client and server",
  "server-not-edge":
    "give the port of the edge's own SSH server, or use --bare with a plain one",
  "host-key-unknown": "expose login in a terminal, and compare the fingerprint",
  "host-key-changed": "ask the server's operator before anything else",
  "host-key-revoked": "ask the server's operator for the present key",
  "auth-failed":
    "have the operator add your public key, or choose another with --identity",
  "key-missing": "ssh-keygen -t ed25519, or name a key with --identity",
  "key-invalid": "look at the key file, or load it with ssh-add",
  "version-unsupported": "update the older one of client and edge",
  "name-refused": "choose another --subdomain",
  "tunnel-refused": "ask the operator of the edge",
  "upstream-invalid": "write the target as for expose http",
};
