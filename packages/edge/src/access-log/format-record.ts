// One request as one line: JSON, or text for reading. Bounded, redacted, and without anything that a terminal obeys.
import { cut, escapeControls } from "../util/escape.ts";
import type { RequestRecord } from "./record.ts";
import { redactHeader, redactUrl } from "./redact.ts";

/** How records are shown. */
export interface RecordFormat {
  readonly headers: "redacted" | "all" | "none";
  readonly isSensitive: (name: string) => boolean;
  /** Characters of one header's value. */
  readonly valueLength: number;
  /** Characters of all headers of a record, names included. */
  readonly headersLength: number;
}

// A record has room for every name that can route, and for a visitor's address in any notation.
const MAX_URL_LENGTH = 2_048;
const MAX_METHOD_LENGTH = 40;
const MAX_HEADER_NAME_LENGTH = 100;
const MAX_WORD_LENGTH = 260;

/** @returns a line of JSON without its newline; fields that have no value are left out */
export function formatJsonRecord(
  record: RequestRecord,
  format: RecordFormat,
): string {
  const { headers, omitted } = collectHeaders(record, format);
  const line = JSON.stringify({
    time: new Date(record.startedAt).toISOString(),
    tunnel: bounded(record.tunnel),
    identity: bounded(record.identity),
    visitor: bounded(record.visitor),
    method: cut(record.method, MAX_METHOD_LENGTH),
    url: urlOf(record, format),
    http: bounded(record.httpVersion),
    status: record.status,
    error: record.error,
    upgraded: record.upgraded || undefined,
    retried: record.retried || undefined,
    routeMs: rounded(record.routeMs),
    connectMs: rounded(record.connectMs),
    firstByteMs: rounded(record.firstByteMs),
    totalMs: rounded(record.totalMs),
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    headers: headers && byName(headers),
    headersOmitted: omitted || undefined,
  });
  return escapeControls(line);
}

/** @returns a readable line without its newline; `-` stands where a value is missing */
export function formatTextRecord(
  record: RequestRecord,
  format: RecordFormat,
): string {
  const { headers = [], omitted } = collectHeaders(record, format);
  const words = [
    new Date(record.startedAt).toISOString(),
    word(record.visitor),
    word(record.tunnel),
    word(record.identity),
    word(cut(record.method, MAX_METHOD_LENGTH)),
    word(urlOf(record, format)),
    String(record.status),
    `${rounded(record.totalMs)}ms`,
    `route=${rounded(record.routeMs)}`,
    `connect=${rounded(record.connectMs) ?? "-"}`,
    `first=${rounded(record.firstByteMs) ?? "-"}`,
    `in=${record.bytesIn}`,
    `out=${record.bytesOut}`,
    ...(record.error ? [`error=${record.error}`] : []),
    ...(record.upgraded ? ["upgraded"] : []),
    ...(record.retried ? ["retried"] : []),
    ...headers.map(([name, value]) => `${name}=${JSON.stringify(value)}`),
    ...(omitted > 0 ? [`headers-omitted=${omitted}`] : []),
  ];
  return escapeControls(words.join(" "));
}

function urlOf({ host, target }: RequestRecord, format: RecordFormat): string {
  // Origin-form and `*` need the host (RFC 9112 section 3.2); absolute-form brings its own.
  const url = target.startsWith("/")
    ? host + target
    : target === "*"
      ? `${host} *`
      : target;
  // Cut first: what is redacted is then bounded, and no half of a secret can be left behind.
  const short = cut(url, MAX_URL_LENGTH);
  return format.headers === "all"
    ? short
    : redactUrl(short, format.isSensitive);
}

function collectHeaders(
  { rawHeaders }: RequestRecord,
  format: RecordFormat,
): { headers: [name: string, value: string][] | undefined; omitted: number } {
  if (format.headers === "none") return { headers: undefined, omitted: 0 };
  const headers: [string, string][] = [];
  let room = format.headersLength;
  let omitted = 0;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = cut(rawHeaders[i]!, MAX_HEADER_NAME_LENGTH);
    const raw = cut(rawHeaders[i + 1]!, format.valueLength);
    const value =
      format.headers === "all"
        ? raw
        : redactHeader(rawHeaders[i]!, raw, format.isSensitive);
    room -= name.length + value.length;
    if (room < 0) {
      omitted = (rawHeaders.length - i) / 2;
      break;
    }
    headers.push([name, value]);
  }
  return { headers, omitted };
}

// Without a prototype: a header may be called __proto__.
function byName(
  headers: readonly [string, string][],
): Record<string, string | string[]> {
  const result = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    const known = result[key];
    if (known === undefined) result[key] = value;
    else if (typeof known === "string") result[key] = [known, value];
    else known.push(value);
  }
  return result;
}

const bounded = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : cut(text, MAX_WORD_LENGTH);

const rounded = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.round(ms * 1_000) / 1_000;

function word(text: string | undefined): string {
  const shown = bounded(text);
  if (!shown) return "-";
  return /[\s"]/.test(shown) ? JSON.stringify(shown) : shown;
}
