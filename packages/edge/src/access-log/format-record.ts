// One request as one line: JSON, or text for reading. Bounded, redacted, and without anything that a terminal obeys.
import { detached } from "../util/detached.ts";
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
  // Put together by hand: JSON.stringify and one pass over the whole line cost more than twice as much.
  let line = `{"time":"${isoTime(record.startedAt)}"`;
  line += member("tunnel", bounded(record.tunnel));
  line += member("identity", bounded(record.identity));
  line += member("visitor", bounded(record.visitor));
  line += member("method", cut(record.method, MAX_METHOD_LENGTH));
  line += member("url", urlOf(record, format));
  line += member("http", bounded(record.httpVersion));
  line += `,"status":${record.status}`;
  line += member("error", record.error);
  if (record.upgraded) line += ',"upgraded":true';
  if (record.retried) line += ',"retried":true';
  line += `,"routeMs":${milliseconds(record.routeMs)}`;
  if (record.connectMs !== undefined)
    line += `,"connectMs":${milliseconds(record.connectMs)}`;
  if (record.firstByteMs !== undefined)
    line += `,"firstByteMs":${milliseconds(record.firstByteMs)}`;
  line += `,"totalMs":${milliseconds(record.totalMs)}`;
  line += `,"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut}`;
  if (format.headers !== "none") line += headersMember(record, format);
  return `${line}}`;
}

/** @returns a readable line without its newline; `-` stands where a value is missing */
export function formatTextRecord(
  record: RequestRecord,
  format: RecordFormat,
): string {
  const headers: string[] = [];
  const omitted =
    format.headers === "none"
      ? 0
      : eachHeader(record, format, (name, value) =>
          headers.push(`${name}=${JSON.stringify(value)}`),
        );
  const words = [
    isoTime(record.startedAt),
    word(record.visitor),
    word(record.tunnel),
    word(record.identity),
    word(cut(record.method, MAX_METHOD_LENGTH)),
    word(urlOf(record, format)),
    String(record.status),
    `${milliseconds(record.totalMs)}ms`,
    `route=${milliseconds(record.routeMs)}`,
    `connect=${milliseconds(record.connectMs)}`,
    `first=${milliseconds(record.firstByteMs)}`,
    `in=${record.bytesIn}`,
    `out=${record.bytesOut}`,
    ...(record.error ? [`error=${record.error}`] : []),
    ...(record.upgraded ? ["upgraded"] : []),
    ...(record.retried ? ["retried"] : []),
    ...headers,
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

// Headers as they are shown, one after the other. Returns how many there was no room for.
function eachHeader(
  { rawHeaders }: RequestRecord,
  format: RecordFormat,
  show: (name: string, value: string) => void,
): number {
  let room = format.headersLength;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = cut(rawHeaders[i]!, MAX_HEADER_NAME_LENGTH);
    const raw = cut(rawHeaders[i + 1]!, format.valueLength);
    const value =
      format.headers === "all"
        ? raw
        : redactHeader(rawHeaders[i]!, raw, format.isSensitive);
    room -= name.length + value.length;
    if (room < 0) return (rawHeaders.length - i) / 2;
    show(name, value);
  }
  return 0;
}

// Fields of one name become a list.
function headersMember(record: RequestRecord, format: RecordFormat): string {
  let members = "";
  let omitted: number;
  if (repeatsName(record.rawHeaders)) {
    const lists = new Map<string, string[]>();
    omitted = eachHeader(record, format, (name, value) => {
      const key = keyOf(name);
      const values = lists.get(key);
      if (values) values.push(quoted(value));
      else lists.set(key, [quoted(value)]);
    });
    for (const [key, values] of lists)
      members += `,${key}:${values.length === 1 ? values[0] : `[${values.join(",")}]`}`;
  } else
    omitted = eachHeader(record, format, (name, value) => {
      members += `,${keyOf(name)}:${quoted(value)}`;
    });
  return `,"headers":{${members.slice(1)}}${omitted > 0 ? `,"headersOmitted":${omitted}` : ""}`;
}

// Looking is cheaper than collecting, up to some number; from there on it says yes without looking.
const MAX_COMPARED = 32;

function repeatsName(raw: readonly string[]): boolean {
  if (raw.length > MAX_COMPARED * 2) return true;
  for (let i = 2; i < raw.length; i += 2)
    for (let j = 0; j < i; j += 2)
      if (
        raw[i]!.length === raw[j]!.length &&
        raw[i]!.toLowerCase() === raw[j]!.toLowerCase()
      )
        return true;
  return false;
}

// Names come from strangers; what is remembered of them must have an end, and hold no long ones.
const MAX_KEYS = 2_000;
const MAX_KEY_LENGTH = 64;
const keys = new Map<string, string>();

function keyOf(name: string): string {
  let key = keys.get(name);
  if (key === undefined) {
    key = quoted(name.toLowerCase());
    if (keys.size < MAX_KEYS && name.length <= MAX_KEY_LENGTH)
      keys.set(detached(name), key);
  }
  return key;
}

const member = (name: string, value: string | undefined): string =>
  value === undefined ? "" : `,"${name}":${quoted(value)}`;

// What stands in JSON as it is, and in a terminal too.
const PLAIN = /^[ !#-[\]-~]*$/;

const quoted = (text: string): string =>
  PLAIN.test(text) ? `"${text}"` : escapeControls(JSON.stringify(text));

const bounded = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : cut(text, MAX_WORD_LENGTH);

// Thousandths as they end a number: making each from a double costs more than all of the rest of it.
const FRACTIONS = Array.from({ length: 1_000 }, (_, thousandths) =>
  String(thousandths / 1_000).slice(1),
);

/** `1.5`, in thousandths at most; `-` where there is none. */
function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return "-";
  const micro = Math.round(ms * 1_000);
  if (!(micro >= 0 && micro < 1e9)) return String(micro / 1_000);
  return `${Math.floor(micro / 1_000)}${FRACTIONS[micro % 1_000]!}`;
}

let secondShown = -1;
let secondText = "";

// As Date.toISOString() has it, which is asked once a second.
function isoTime(time: number): string {
  const second = Math.floor(time / 1_000);
  if (second !== secondShown) {
    secondText = new Date(second * 1_000).toISOString().slice(0, -4);
    secondShown = second;
  }
  const ms = Math.floor(time - second * 1_000);
  return `${secondText}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}

function word(text: string | undefined): string {
  const shown = bounded(text);
  if (!shown) return "-";
  return /[\s"]/.test(shown) ? JSON.stringify(shown) : shown;
}
