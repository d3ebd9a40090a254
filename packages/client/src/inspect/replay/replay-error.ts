// Why a replay was not sent, or got no answer that counts as one.

/** Each is a code of the API too; docs/inspector-api.md explains them. */
export type ReplayErrorCode =
  // The edit makes no request.
  | "request-invalid"
  // The exchange is of a kind that cannot be repeated.
  | "replay-refused"
  // Values of headers are not in the history any more, and were not given.
  | "secrets-missing"
  // The upstream is not on this machine or its network.
  | "upstream-refused"
  // The local service does not take connections.
  | "upstream-unreachable"
  // The local service hung up before its answer was over.
  | "upstream-closed"
  // What the local service answered is no HTTP.
  | "upstream-garbage"
  // The local service did not answer in time.
  | "upstream-timeout"
  // The answer was not captured, because there were too many.
  | "replay-unseen"
  // The caller went away.
  | "aborted";

/** See the file's head. */
export class ReplayError extends Error {
  override name = "ReplayError";
  readonly code: ReplayErrorCode;
  /** `secrets-missing`: lower-case names of the headers. */
  readonly headers: readonly string[] | undefined;

  /** @param message what is wrong, and what to do */
  constructor(
    code: ReplayErrorCode,
    message: string,
    options: ErrorOptions & { headers?: readonly string[] } = {},
  ) {
    super(message, options);
    this.code = code;
    this.headers = options.headers;
  }
}
