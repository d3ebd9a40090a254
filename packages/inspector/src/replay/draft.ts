// A request as a form shows it, and the order for the API that comes of it.
import type { Exchange, HeaderLine, ReplayOrder } from "@expose/protocol";
import { ApiError } from "../api/call.ts";
import { toBase64 } from "../format/base64.ts";

export interface Draft {
  readonly method: string;
  readonly target: string;
  /** `Name: value`, one a line. */
  readonly headers: string;
  /** Undefined when the body is not text that can be edited and stay what it was. */
  readonly body: string | undefined;
  readonly times: number;
  readonly upstream: string;
  readonly sign: string;
  readonly withoutSecrets: boolean;
}

/** More than this nobody edits in a text field. */
const MAX_EDITED_BYTES = 1_000_000;

/** What the form starts with. */
export function draftOf(exchange: Exchange, body: Uint8Array): Draft {
  const { request } = exchange;
  const isWhole = request?.body.keptBytes === request?.body.bytes;
  return {
    method: exchange.method,
    target: exchange.target,
    headers: (request?.headers ?? [])
      .map(([name, value]) => `${name}: ${value}`)
      .join("\n"),
    body: isWhole ? toText(body) : undefined,
    times: 1,
    upstream: "",
    sign: "",
    withoutSecrets: false,
  };
}

/**
 * Holds what differs from the original alone.
 *
 * @throws ApiError `headers-invalid` for a line that is no header
 */
export function orderOf(original: Draft, draft: Draft): ReplayOrder {
  const { method, target, headers, body, times, upstream, sign } = draft;
  return {
    ...(method !== original.method && { method }),
    ...(target !== original.target && { target }),
    ...(headers !== original.headers && { headers: parseHeaders(headers) }),
    ...(body !== undefined &&
      body !== original.body && {
        body: toBase64(new TextEncoder().encode(body)),
      }),
    ...(times > 1 && { times }),
    ...(upstream.trim() !== "" && { upstream: upstream.trim() }),
    ...(sign !== "" && { sign }),
    ...(draft.withoutSecrets && { withoutSecrets: true }),
  };
}

function parseHeaders(text: string): HeaderLine[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line, index) => {
      const colon = line.indexOf(":");
      if (colon < 1)
        throw new ApiError({
          code: "headers-invalid",
          message: `Line ${index + 1} of the headers has no name before a colon: ${line}`,
        });
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
}

/** Text, when these bytes come of it again. */
function toText(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_EDITED_BYTES) return undefined;
  try {
    // A text field makes one line break of each kind, and a byte order mark is no text.
    const text = new TextDecoder("utf-8", {
      fatal: true,
      ignoreBOM: true,
    }).decode(bytes);
    return /[\0\r\uFEFF]/.test(text) ? undefined : text;
  } catch {
    // Bytes that are not UTF-8: the form says that the body stays as it was.
    return undefined;
  }
}
