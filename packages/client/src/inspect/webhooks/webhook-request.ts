// A captured request, as the providers look at it.
import type { Exchange, HeaderLine } from "@expose/protocol";

/** See the file's head. Headers are looked up in lower case; the first line of a name counts. */
export interface WebhookRequest {
  readonly method: string;
  /** Public URL, as the provider called it. */
  readonly url: string;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
  /** Milliseconds since 1970 at which it arrived. */
  readonly receivedAt: number;
  header(name: string): string | undefined;
  /** A text in the body's JSON, or in the JSON of its form's `payload` field: `text("data", "object", "id")`. */
  text(...path: readonly string[]): string | undefined;
  /** A field of the body's form. */
  field(name: string): string | undefined;
}

/** @param maxReadBytes how long a body may be for something to be read out of it; longer ones name no event */
export function createWebhookRequest(
  exchange: Exchange,
  body: Buffer,
  maxReadBytes = MAX_READ_BYTES,
): WebhookRequest {
  const headers = exchange.request?.headers ?? [];
  const names = new Map<string, string>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (!names.has(key)) names.set(key, value);
  }
  const isForm = (names.get("content-type") ?? "")
    .toLowerCase()
    .startsWith("application/x-www-form-urlencoded");
  let fields: URLSearchParams | undefined;
  let json: { value: unknown } | undefined;
  const readFields = (): URLSearchParams =>
    (fields ??= new URLSearchParams(
      isForm && body.length <= maxReadBytes ? body.toString() : "",
    ));

  return {
    method: exchange.method,
    url: exchange.origin + exchange.target,
    headers,
    body,
    receivedAt: exchange.startedAt,
    header: (name) => names.get(name),
    field: (name) => shorten(readFields().get(name)),
    text(...path) {
      json ??= {
        value: parseJson(
          isForm ? readFields().get("payload") : body,
          maxReadBytes,
        ),
      };
      let value = json.value;
      for (const key of path)
        value =
          typeof value === "object" &&
          value !== null &&
          Object.hasOwn(value, key)
            ? (value as Record<string, unknown>)[key]
            : undefined;
      return typeof value === "string" || typeof value === "number"
        ? shorten(String(value))
        : undefined;
    },
  };
}

// Parsing is between two turns of the event loop, and events are small.
const MAX_READ_BYTES = 256 * 1024;
const MAX_TEXT = 200;

function parseJson(text: string | Buffer | null, maxBytes: number): unknown {
  if (text === null || text.length === 0 || text.length > maxBytes)
    return undefined;
  try {
    return JSON.parse(text.toString()) as unknown;
  } catch {
    // A body that is no JSON names no event, and that is all there is to say here.
    return undefined;
  }
}

const shorten = (text: string | null): string | undefined =>
  text === null || text === "" ? undefined : text.slice(0, MAX_TEXT);
