// Every error that the client raises on purpose: a stable code, an exit status, and whether trying again can help.
import type { ControlErrorCode } from "@expose/protocol";

/** Codes of the client: what each means and the exit status of the CLI. docs/errors.md explains each (a test compares). */
export const clientErrorCodes = {
  "usage-invalid": {
    exit: 2,
    meaning:
      "The command line names no command or option that exists, or a value that it cannot take.",
  },
  "config-invalid": {
    exit: 3,
    meaning:
      "The configuration file has mistakes; all of them are listed with their paths.",
  },
  "config-unreadable": {
    exit: 3,
    meaning: "The configuration file cannot be read, written or parsed.",
  },
  "server-missing": { exit: 4, meaning: "No server is configured." },
  "server-unreachable": {
    exit: 5,
    meaning: "No TCP connection to the server could be made.",
  },
  "server-not-ssh": {
    exit: 6,
    meaning: "What answers on the server's port does not speak SSH.",
  },
  "handshake-failed": {
    exit: 6,
    meaning: "Client and server have no SSH algorithms in common.",
  },
  "server-not-edge": {
    exit: 7,
    meaning: "The server speaks SSH, and no expose edge answers behind it.",
  },
  "server-is-edge": {
    exit: 7,
    meaning: "An expose edge answers, where --bare wants a plain SSH server.",
  },
  "connection-lost": {
    exit: 8,
    meaning: "The SSH connection ended while it was needed.",
  },
  "host-key-unknown": {
    exit: 10,
    meaning:
      "The server's host key was never seen, and nobody can be asked about it.",
  },
  "host-key-changed": {
    exit: 11,
    meaning: "The server's host key differs from the pinned one.",
  },
  "host-key-revoked": {
    exit: 11,
    meaning: "The server's host key is marked @revoked in known_hosts.",
  },
  "auth-failed": { exit: 12, meaning: "The server accepts none of the keys." },
  "key-missing": {
    exit: 13,
    meaning: "No private key and no agent with a usable key was found.",
  },
  "key-invalid": {
    exit: 13,
    meaning: "A private key cannot be read, parsed or decrypted.",
  },
  "name-refused": {
    exit: 14,
    meaning:
      "The edge does not give this name: taken, reserved, malformed or not granted.",
  },
  "tunnel-refused": {
    exit: 15,
    meaning: "The edge does not open this tunnel.",
  },
  superseded: {
    exit: 16,
    meaning:
      "The same identity opened this name elsewhere, and the newest session wins.",
  },
  revoked: {
    exit: 12,
    meaning: "The key was removed from the server's users file.",
  },
  "version-unsupported": {
    exit: 17,
    meaning:
      "Client and edge speak different versions of the control protocol.",
  },
  "forward-refused": {
    exit: 18,
    meaning: "The SSH server does not allow the port forward.",
  },
  "upstream-invalid": {
    exit: 2,
    meaning: "The local address cannot be read or used.",
  },
  "filter-invalid": {
    exit: 2,
    meaning: "A filter of exchanges has a syntax error.",
  },
  "http-file-invalid": {
    exit: 3,
    meaning: "A .http file cannot be read, written or parsed.",
  },
  "export-refused": {
    exit: 21,
    meaning: "An exchange cannot be written in the form that was asked for.",
  },
  "send-failed": {
    exit: 22,
    meaning: "A request of a .http file got no answer.",
  },
  "provider-unknown": {
    exit: 2,
    meaning: "There is no such provider of webhooks.",
  },
  "webhook-secret-missing": {
    exit: 4,
    meaning: "There is no secret to sign a webhook with.",
  },
  "exec-failed": {
    exit: 19,
    meaning: "The remote command could not be started.",
  },
  "listen-failed": {
    exit: 20,
    meaning: "A local port of `expose local` cannot be listened on.",
  },
  "check-failed": { exit: 1, meaning: "A check of `expose doctor` failed." },
  "inspector-missing": {
    exit: 23,
    meaning:
      "No client with an inspector is running, and there is no history on disk.",
  },
  "inspector-failed": {
    exit: 23,
    meaning: "The inspector of a running client refuses, or cannot be asked.",
  },
  "exchange-unknown": {
    exit: 24,
    meaning: "There is no exchange with this ID, or none that matches.",
  },
  "replay-refused": {
    exit: 25,
    meaning: "The exchange cannot be repeated as it is.",
  },
  "replay-failed": {
    exit: 1,
    meaning: "The local service gave no answer to a replay.",
  },
  "editor-failed": {
    exit: 26,
    meaning: "The editor could not be started, or ended with an error.",
  },
  aborted: { exit: 130, meaning: "The caller ended it." },
  "internal-error": { exit: 70, meaning: "A bug in expose; please report it." },
} as const satisfies Record<string, { exit: number; meaning: string }>;

/** One of {@link clientErrorCodes}. */
export type ClientErrorCode = keyof typeof clientErrorCodes;

/** Something that the person at the keyboard can act on; anything else that is thrown is a bug. */
export class ExposeError extends Error {
  override name = "ExposeError";
  readonly code: ClientErrorCode;
  /** Whether reconnecting can help. Wrong keys, changed host keys and refused names are final. */
  readonly final: boolean;
  /** The edge's own code, when the edge said no. */
  readonly edgeCode: ControlErrorCode | undefined;

  /** @param message what failed, on what, and what to do next */
  constructor(
    code: ClientErrorCode,
    message: string,
    options: ErrorOptions & {
      final?: boolean;
      edgeCode?: ControlErrorCode;
    } = {},
  ) {
    super(message, options);
    this.code = code;
    this.final = options.final ?? !RETRYABLE.has(code);
    this.edgeCode = options.edgeCode;
  }

  /** Exit status for the CLI. */
  get exitStatus(): number {
    return clientErrorCodes[this.code].exit;
  }
}

const RETRYABLE: ReadonlySet<ClientErrorCode> = new Set([
  "server-unreachable",
  "connection-lost",
]);

/** What is said of anything that was thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
