// Why a replay was not sent, or got no answer that counts as one.

/** Codes of replays. docs/inspector-api.md explains each (a test compares). */
export const replayErrorCodes = {
  "request-invalid": "The edit makes no request.",
  "replay-refused": "The exchange is of a kind that cannot be repeated.",
  "secrets-missing":
    "Values of headers are not in the history any more, and were not given.",
  "upstream-refused": "The upstream is not on this machine or its network.",
  "upstream-unreachable": "The local service does not take connections.",
  "upstream-closed": "The local service hung up before its answer was over.",
  "upstream-garbage": "What the local service answered is no HTTP.",
  "upstream-timeout": "The local service did not answer in time.",
  "replay-unseen": "The answer was not captured, because there were too many.",
  aborted: "The caller went away.",
} as const;

/** One of {@link replayErrorCodes}. */
export type ReplayErrorCode = keyof typeof replayErrorCodes;

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
