// What the inspector's API says when it says no: a stable code, a status, and a sentence with what to do.
import type { InspectorError } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import { ReplayError } from "../replay/replay-error.ts";

/** Codes of the API and their statuses. docs/inspector-api.md explains each (a test compares). */
export const apiErrorCodes = {
  forwarded: 403,
  "host-refused": 403,
  "origin-refused": 403,
  "site-refused": 403,
  "user-refused": 403,
  "token-missing": 401,
  "token-wrong": 401,
  "request-invalid": 400,
  "type-unsupported": 415,
  "body-too-large": 413,
  "route-unknown": 404,
  "method-unsupported": 405,
  "exchange-unknown": 404,
  "tunnel-unknown": 404,
  "filter-invalid": 400,
  "feature-missing": 501,
  "replay-refused": 409,
  "secrets-missing": 409,
  "upstream-refused": 400,
  "upstream-unreachable": 502,
  "upstream-closed": 502,
  "upstream-garbage": 502,
  "upstream-timeout": 504,
  "replay-unseen": 502,
  aborted: 499,
  "too-many": 429,
  "internal-error": 500,
} as const;

/** One of {@link apiErrorCodes}. */
export type ApiErrorCode = keyof typeof apiErrorCodes;

/** An answer of the API that is no success. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly code: ApiErrorCode;
  /** Further fields of the answer's `error` object. */
  readonly details: Readonly<Record<string, unknown>>;

  /** @param message what is wrong, and what to do */
  constructor(
    code: ApiErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return apiErrorCodes[this.code];
  }
}

/** Status and body of the answer to whatever a route threw. What is no error of ours says nothing of itself. */
export function describeError(error: unknown): {
  status: number;
  body: { error: InspectorError };
} {
  if (error instanceof ApiError)
    return {
      status: error.status,
      body: {
        error: { code: error.code, message: error.message, ...error.details },
      },
    };
  if (error instanceof ReplayError)
    return {
      status: apiErrorCodes[error.code],
      body: {
        error: {
          code: error.code,
          message: error.message,
          ...(error.headers && { headers: error.headers }),
        },
      },
    };
  // The features behind the routes say what a person can act on with errors of the client.
  if (error instanceof ExposeError && error.code !== "internal-error")
    return {
      status: Object.hasOwn(apiErrorCodes, error.code)
        ? apiErrorCodes[error.code as ApiErrorCode]
        : 400,
      body: {
        error: {
          code: error.code,
          message: error.message,
          ...("position" in error &&
            typeof error.position === "number" && { position: error.position }),
        },
      },
    };
  return {
    status: 500,
    body: {
      error: {
        code: "internal-error",
        message: "This is a bug in expose; EXPOSE_DEBUG=1 shows more.",
      },
    },
  };
}
