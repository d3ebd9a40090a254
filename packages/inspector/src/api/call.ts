// Requests to the client's API. The per-run token travels as a cookie that no script can read.
import type { InspectorError } from "@expose/protocol";

/** What went wrong with a request: the API's own code, or one of ours. */
export class ApiError extends Error {
  readonly code: string;
  readonly position: number | undefined;
  readonly headers: readonly string[];

  constructor(error: InspectorError) {
    super(error.message);
    this.name = "ApiError";
    this.code = error.code;
    this.position = error.position;
    this.headers = error.headers ?? [];
  }
}

/** Code of an {@link ApiError} when nobody listens, or the connection was cut. */
const CLIENT_GONE = "client-gone";

export interface CallOptions {
  readonly method?: "GET" | "POST" | "DELETE";
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks for JSON.
 *
 * @throws ApiError on any answer but 2xx and when there is none; the signal's reason when it aborts
 */
export async function call<T>(
  path: string,
  options: CallOptions = {},
): Promise<T> {
  const response = await send(path, options);
  // DELETE answers 204.
  const text = await read(response.text());
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** Asks for bytes. @throws as `call` */
export async function callBytes(
  path: string,
  options: CallOptions = {},
): Promise<{ bytes: Uint8Array<ArrayBuffer>; headers: Headers }> {
  const response = await send(path, options);
  const bytes = new Uint8Array(await read(response.arrayBuffer()));
  return { bytes, headers: response.headers };
}

/** Asks for text. @throws as `call` */
export async function callText(
  path: string,
  options: CallOptions = {},
): Promise<string> {
  return read((await send(path, options)).text());
}

async function send(path: string, options: CallOptions): Promise<Response> {
  let response = await request(path, options);
  if (response.status === 401 || response.status === 403) {
    // Another run of the client answers: its page hands out its token.
    await request("/", {});
    response = await request(path, options);
  }
  if (response.ok) return response;
  throw await toError(response);
}

function request(path: string, options: CallOptions): Promise<Response> {
  const { method = "GET", json, signal } = options;
  return read(
    fetch(path, {
      method,
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      signal: signal ?? null,
      ...(json !== undefined && {
        body: JSON.stringify(json),
        headers: { "Content-Type": "application/json" },
      }),
    }),
  );
}

/** fetch rejects with a TypeError that differs from browser to browser. */
async function read<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof TypeError)
      throw new ApiError({
        code: CLIENT_GONE,
        message: "The client does not answer. Is `expose` still running?",
      });
    throw error;
  }
}

async function toError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const { error } = JSON.parse(text) as { error: InspectorError };
    if (typeof error.code === "string" && typeof error.message === "string")
      return new ApiError(error);
  } catch {
    // Not ours, then: what is known is said below.
  }
  return new ApiError({
    code: `http-${response.status}`,
    message: `The client answered ${response.status} to ${new URL(response.url).pathname}.`,
  });
}
