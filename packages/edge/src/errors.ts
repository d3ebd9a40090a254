// Every error that the edge raises on purpose: a stable code, its meaning and an exit status. docs/errors.md explains
// each (a test compares).

/**
 * Codes of the edge: what each means, and the exit status of `expose-edge` when it ends the program. What visitors and
 * clients are told stands in @expose/protocol.
 */
export const edgeErrorCodes = {
  "usage-invalid": {
    exit: 2,
    meaning:
      "The command line names no command or option that exists, or a value is missing.",
  },
  "config-invalid": {
    exit: 3,
    meaning:
      "The configuration has mistakes; all of them are listed with their paths.",
  },
  "config-unreadable": {
    exit: 3,
    meaning: "The configuration file cannot be read or is not YAML.",
  },
  "listen-failed": { exit: 4, meaning: "An address cannot be listened on." },
  "users-invalid": {
    exit: 5,
    meaning:
      "The users file has mistakes; all of them are listed with their lines.",
  },
  "users-unreadable": {
    exit: 5,
    meaning: "The users file cannot be read or written.",
  },
  "key-invalid": {
    exit: 6,
    meaning: "What was given is not a public key that the edge can use.",
  },
  "identity-unknown": {
    exit: 7,
    meaning: "No key in the users file belongs to this identity.",
  },
  "state-unwritable": {
    exit: 8,
    meaning: "The state directory cannot be created or written.",
  },
  "log-unwritable": {
    exit: 8,
    meaning: "The file of the access log cannot be opened.",
  },
  "domain-unresolved": {
    exit: 11,
    meaning:
      "The configuration is right, and the DNS does not lead visitors to it.",
  },
  "host-key-invalid": {
    exit: 9,
    meaning: "The SSH host key cannot be read or is not private to the edge.",
  },
  "forward-failed": {
    exit: 10,
    meaning: "A connection through a forward could not be opened.",
  },
} as const satisfies Record<string, { exit: number; meaning: string }>;

/** One of {@link edgeErrorCodes}. */
export type EdgeErrorCode = keyof typeof edgeErrorCodes;

/** What goes with an error. */
export interface EdgeErrorOptions extends ErrorOptions {
  /** With `forward-failed`: the tunnel is up, and its client says that the local service does not answer. */
  readonly upstreamDown?: boolean;
}

/** Something that an operator can mend; anything else that is thrown is a bug. */
export class EdgeError extends Error {
  override name = "EdgeError";
  readonly code: EdgeErrorCode;
  /** See {@link EdgeErrorOptions}. */
  readonly upstreamDown: boolean;

  /** @param message what failed, on what, and what to do next */
  constructor(
    code: EdgeErrorCode,
    message: string,
    options?: EdgeErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.upstreamDown = options?.upstreamDown ?? false;
  }

  /** Exit status for `expose-edge`. */
  get exitStatus(): number {
    return edgeErrorCodes[this.code].exit;
  }
}
