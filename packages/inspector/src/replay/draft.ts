// A request as a form shows it, and the order for the API that comes of it.
import type {
  Exchange,
  HeaderLine,
  ReplayManyOrder,
  ReplayOrder,
} from "@expose/protocol";
import { ApiError } from "../api/call.ts";
import { toBase64 } from "../format/base64.ts";

/** Where a replay goes, and how. */
export interface Aim {
  readonly upstream: string;
  readonly sign: string;
  readonly withoutSecrets: boolean;
}

/** As it was. */
export const NO_AIM: Aim = { upstream: "", sign: "", withoutSecrets: false };

export interface Draft extends Aim {
  readonly method: string;
  readonly target: string;
  /** `Name: value`, one a line. */
  readonly headers: string;
  /** Undefined: it stays what it was, because it is not text that a form could hold. Lines end with LF. */
  readonly body: string | undefined;
  readonly times: number;
}

/** More than this nobody edits in a text field. */
const MAX_EDITED_BYTES = 1_000_000;

/** A request, ready to be edited. */
export interface Editable {
  readonly draft: Draft;
  /** What ends a line of its body. */
  readonly lineBreak: "\n" | "\r\n";
}

/** What the form starts with. */
export function editableOf(exchange: Exchange, bytes: Uint8Array): Editable {
  const { request } = exchange;
  const isWhole = request?.body.keptBytes === request?.body.bytes;
  const body = isWhole ? toText(bytes) : undefined;
  return {
    draft: {
      method: exchange.method,
      target: exchange.target,
      headers: (request?.headers ?? [])
        .map(([name, value]) => `${name}: ${value}`)
        .join("\n"),
      body: body?.text,
      times: 1,
      ...NO_AIM,
    },
    lineBreak: body?.lineBreak ?? "\n",
  };
}

/**
 * Holds what differs from the original alone: all else goes out byte for byte.
 *
 * @throws ApiError `headers-invalid` for a line that is no header
 */
export function orderOf(original: Editable, draft: Draft): ReplayOrder {
  const before = original.draft;
  const { method, target, headers, body, times } = draft;
  return {
    ...(method !== before.method && { method }),
    ...(target !== before.target && { target }),
    ...(headers !== before.headers && { headers: parseHeaders(headers) }),
    ...(body !== undefined &&
      body !== before.body && {
        body: toBase64(
          new TextEncoder().encode(
            body.replaceAll("\n", () => original.lineBreak),
          ),
        ),
      }),
    ...(times !== 1 && { times }),
    ...aimOf(draft),
  };
}

/** The order for the last ones that match. */
export const orderManyOf = (
  filter: string,
  last: number,
  aim: Aim,
): ReplayManyOrder => ({
  last,
  ...(filter.trim() !== "" && { filter: filter.trim() }),
  ...aimOf(aim),
});

const aimOf = ({
  upstream,
  sign,
  withoutSecrets,
}: Aim): Pick<ReplayOrder, "upstream" | "sign" | "withoutSecrets"> => ({
  ...(upstream.trim() !== "" && { upstream: upstream.trim() }),
  ...(sign !== "" && { sign }),
  ...(withoutSecrets && { withoutSecrets }),
});

function parseHeaders(text: string): HeaderLine[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const colon = line.indexOf(":");
    if (colon < 1)
      throw new ApiError({
        code: "headers-invalid",
        message: `Line ${index + 1} of the headers has no name before a colon: ${line}`,
      });
    return [[line.slice(0, colon), line.slice(colon + 1).trim()] as const];
  });
}

/** Text that a form can hold, when the very same bytes come of it again. */
function toText(
  bytes: Uint8Array,
): { text: string; lineBreak: "\n" | "\r\n" } | undefined {
  if (bytes.length > MAX_EDITED_BYTES) return undefined;
  const text = decodeUtf8(bytes);
  if (text === undefined || /[\0\uFEFF]/.test(text)) return undefined;
  // A text field makes one kind of line break of all, so that there must have been one kind alone.
  if (!text.includes("\r")) return { text, lineBreak: "\n" };
  const unified = text.replaceAll("\r\n", "\n");
  return unified.replaceAll("\n", "\r\n") === text && !unified.includes("\r")
    ? { text: unified, lineBreak: "\r\n" }
    : undefined;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes,
    );
  } catch {
    // Not UTF-8: the form says that the body stays as it was.
    return undefined;
  }
}
