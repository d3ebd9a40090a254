// Every error that the edge raises on purpose, with its stable code. docs/errors.md explains each (a test compares).

/** Codes of the edge and what each means. What visitors and clients are told stands in @expose/protocol. */
export const edgeErrorCodes = {
  "usage-invalid": "The command line names no command or option that exists.",
  "config-invalid":
    "The configuration has mistakes; all of them are listed with their paths.",
  "config-unreadable": "The configuration file cannot be read or is not YAML.",
  "users-invalid":
    "The users file has mistakes; all of them are listed with their lines.",
  "users-unreadable": "The users file cannot be read or written.",
  "key-invalid": "What was given is not a public key that the edge can use.",
  "identity-unknown": "No key in the users file belongs to this identity.",
  "listen-failed": "An address cannot be listened on.",
  "state-unwritable": "The state directory cannot be created or written.",
  "host-key-invalid":
    "The SSH host key cannot be read or is not private to the edge.",
  "forward-failed": "A connection through a forward could not be opened.",
} as const;

/** One of {@link edgeErrorCodes}. */
export type EdgeErrorCode = keyof typeof edgeErrorCodes;

/** Something that an operator can mend; anything else that is thrown is a bug. */
export class EdgeError extends Error {
  override name = "EdgeError";
  readonly code: EdgeErrorCode;

  /** @param message what failed, on what, and what to do next */
  constructor(code: EdgeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
