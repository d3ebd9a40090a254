// What is known of a connection after its login, for people and for the Node API. Free of ssh2's types, because it is
// part of the declarations that callers compile against.
import type { SshTarget } from "./target.ts";

/** What was found out while connecting. */
export interface ConnectionFacts {
  readonly target: SshTarget;
  readonly hostKeyFingerprint: string;
  /** The key that the server accepted. */
  readonly keyUsed: {
    readonly name: string;
    readonly source: "agent" | "file";
    readonly fingerprint: string;
  };
  /** What else there was to log in with. */
  readonly identities: IdentityReport;
  /** `SSH-2.0-OpenSSH_9.2p1 Debian-2`, control characters escaped. */
  readonly serverVersion: string;
}

/** What there is to log in with, for people. */
export interface IdentityReport {
  readonly usable: readonly {
    name: string;
    source: "agent" | "file";
    fingerprint: string | undefined;
  }[];
  /** Keys that are there and cannot be used, and an agent that does not answer. */
  readonly unusable: readonly { name: string; reason: string }[];
}
