// Asks the inspector of a client for what commands show. docs/inspector-api.md tells what there is to ask.
import type { InspectorError } from "@expose/protocol";
import { ExposeError, type ClientErrorCode } from "../../errors.ts";
import type { RunningInspector } from "../../inspect/run-file.ts";

/** One inspector. What it refuses is thrown as ExposeError, see {@link refusal}. */
export interface InspectorClient {
  /** `http://127.0.0.1:4040`. */
  readonly url: string;
  get<T>(path: string): Promise<T>;
  /** @returns the bytes, and whether they are all that there were */
  getBytes(path: string): Promise<{ bytes: Buffer; truncated: boolean }>;
  post<T>(path: string, body: unknown): Promise<T>;
  /**
   * Calls back with each event from now on.
   *
   * @returns when the stream has ended: the client is gone, or the signal has fired
   */
  follow(onEvent: (event: string) => void, signal: AbortSignal): Promise<void>;
}

/** The client has ended, or its port is somebody else's now. */
export class InspectorGoneError extends ExposeError {
  override name = "InspectorGoneError";

  constructor(url: string, cause: unknown) {
    super("inspector-failed", `The inspector at ${url} does not answer.`, {
      cause,
    });
  }
}

/** @param signal ends what is under way */
export function createInspectorClient(
  { url, token }: Pick<RunningInspector, "url" | "token">,
  signal: AbortSignal,
): InspectorClient {
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(`${url}${path}`, {
      redirect: "error",
      signal,
      ...init,
      headers: {
        authorization: `Bearer ${token}`,
        ...(init.headers as Record<string, string> | undefined),
      },
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw new InspectorGoneError(url, error);
    });
    if (response.ok) return response;
    throw refusal(await readError(response));
  };
  return {
    url,
    get: async <T>(path: string) => (await (await ask(path, {})).json()) as T,
    async getBytes(path) {
      const response = await ask(path, {});
      return {
        bytes: Buffer.from(await response.arrayBuffer()),
        truncated: response.headers.has("x-expose-truncated"),
      };
    },
    post: async <T>(path: string, body: unknown) =>
      (await (
        await ask(path, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        })
      ).json()) as T,
    async follow(onEvent, until) {
      const either = AbortSignal.any([signal, until]);
      const response = await ask("/api/v1/events", { signal: either });
      await readEvents(response, onEvent).catch((error: unknown) => {
        // A cut stream is an ended one: the client was stopped.
        if (!either.aborted && !(error instanceof TypeError)) throw error;
      });
    },
  };
}

async function readEvents(
  response: Response,
  onEvent: (event: string) => void,
): Promise<void> {
  // Something comes at once: from then on nothing is missed.
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === ": ready") onEvent("ready");
      if (line.startsWith("event: ")) onEvent(line.slice("event: ".length));
    }
  }
}

async function readError(response: Response): Promise<InspectorError> {
  try {
    const { error } = (await response.json()) as { error: InspectorError };
    if (typeof error.code === "string" && typeof error.message === "string")
      return error;
  } catch {
    // Not ours, then: what is known is said below.
  }
  return {
    code: "internal-error",
    message: `The inspector answered ${response.status}.`,
  };
}

// What the API says in other words than the command line.
const CODES: Readonly<Record<string, ClientErrorCode>> = {
  "exchange-unknown": "exchange-unknown",
  "filter-invalid": "filter-invalid",
  "provider-unknown": "provider-unknown",
  "webhook-secret-missing": "webhook-secret-missing",
  "request-invalid": "usage-invalid",
  "upstream-refused": "upstream-invalid",
  "replay-refused": "replay-refused",
  "secrets-missing": "replay-refused",
  "upstream-unreachable": "replay-failed",
  "upstream-closed": "replay-failed",
  "upstream-garbage": "replay-failed",
  "upstream-timeout": "replay-failed",
  "replay-unseen": "replay-failed",
};

/** The error of the command line for one of the API's. */
export function refusal({ code, message }: InspectorError): ExposeError {
  return new ExposeError(
    CODES[code] ?? "inspector-failed",
    CODES[code] === undefined ? `${message} (${code})` : message,
  );
}
