// Takes secrets out of what is logged: values of telling headers, and of telling parameters in URLs.
import { isUtf8 } from "node:buffer";
import { cut, escapeControls } from "../util/escape.ts";

/** Stands where a secret stood. */
export const REDACTED = "[redacted]";

// Headers whose value is a URL, of this request or of the page before it.
const URL_HEADERS = new Set([
  "referer",
  "x-original-url",
  "x-rewrite-url",
  "x-forwarded-uri",
  "x-forwarded-url",
  "x-original-uri",
]);

// What the protocol (RequestMessage.path) and a terminal's line have room for.
const MAX_TARGET_LENGTH = 900;

/** Gives a header's value as it may be logged. `isSensitive` judges names. */
export function redactHeader(
  name: string,
  value: string,
  isSensitive: (name: string) => boolean,
): string {
  if (isSensitive(name)) return REDACTED;
  // All of them begin with R or X, and most names do not.
  const first = name.charCodeAt(0) | 0x20;
  if (first !== 0x72 && first !== 0x78) return value;
  return URL_HEADERS.has(name.toLowerCase())
    ? redactUrl(value, isSensitive)
    : value;
}

/**
 * Gives a URL or a request target as it may be logged: values of telling parameters in query and fragment replaced,
 * user and password of an absolute URL as well. What is cut off at its end stays safe: redact what is left of it.
 */
export function redactUrl(
  url: string,
  isSensitive: (name: string) => boolean,
): string {
  const withoutUser = url.startsWith("/")
    ? url
    : url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${REDACTED}@`);
  // A semicolon begins parameters within a path, `;jsessionid=…` above all (RFC 3986 section 3.3).
  const start = withoutUser.search(/[?#;]/);
  return start < 0
    ? withoutUser
    : withoutUser.slice(0, start) +
        redactQuery(withoutUser.slice(start), isSensitive);
}

/** Makes the function that gives a request target for people's eyes: as text, redacted, cut, and safe in a terminal. */
export const createTargetFormatter =
  (isSensitive: (name: string) => boolean) =>
  (target: string): string =>
    escapeControls(
      redactUrl(cut(asText(target), MAX_TARGET_LENGTH), isSensitive),
    );

// A target is one character a byte; `/\xc3\xbc`, as curl sends it, is `/ü` to people. What is no UTF-8 stays as it is.
function asText(target: string): string {
  if (!/[\x80-\xff]/.test(target)) return target;
  const bytes = Buffer.from(target, "latin1");
  return isUtf8(bytes) ? bytes.toString() : target;
}

function redactQuery(
  query: string,
  isSensitive: (name: string) => boolean,
): string {
  return query.replace(
    /([?&;#])([^=&;#?]*)=([^&;#]*)/g,
    (whole, before: string, key: string, value: string) =>
      value !== "" &&
      (isSensitive(decode(key)) || holdsSecret(value, isSensitive))
        ? `${before}${key}=${REDACTED}`
        : whole,
  );
}

// A value can be a URL with parameters of its own, as it is or packed (`next=%2Fcallback%3Fcode%3Dabc`), even twice.
const MAX_UNPACKED = 3;

function holdsSecret(
  value: string,
  isSensitive: (name: string) => boolean,
): boolean {
  let text = value;
  for (let i = 0; i <= MAX_UNPACKED; i++) {
    for (const [, key] of text.matchAll(/(?:^|[?&;#])([^=&;#?]*)=[^&;#]/g))
      if (isSensitive(decode(key!))) return true;
    const unpacked = decode(text);
    if (unpacked === text) return false;
    text = unpacked;
  }
  // Nobody packs that deep without something to hide.
  return true;
}

// Lenient, unlike decodeURIComponent: what a strict decoder refuses, an upstream may well understand.
function decode(text: string): string {
  return text.includes("%") || text.includes("+")
    ? text
        .replaceAll("+", " ")
        .replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        )
    : text;
}
