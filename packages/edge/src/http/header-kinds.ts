// What the edge does with a header field, by its name. The answer is remembered by name, because asking is the hottest
// loop of the engine: one look-up a field instead of lower-casing and comparing.
import { detached } from "../util/detached.ts";

/** Passed on as it is, unless the Connection header names it. */
export const PASS = 0;
/** Belongs to one hop, or only pretends to be what a proxy says: dropped. */
export const DROP = 1;
export const HOST = 2;
export const CONTENT_LENGTH = 3;
export const TRANSFER_ENCODING = 4;
export const CONNECTION = 5;
export const EXPECT = 6;
export const X_FORWARDED_FOR = 7;
export const X_FORWARDED_PROTO = 8;
export const X_FORWARDED_HOST = 9;
export const X_FORWARDED_PORT = 10;
export const FORWARDED = 11;
/** What only a proxy has to say: passed on when a trusted one says it. */
export const FROM_PROXY = 12;
/** Origin and Referer, which a policy may rewrite. */
export const ORIGIN = 13;
export const UPGRADE = 14;
export const KEEP_ALIVE = 15;
export const TRAILER = 16;
export const CONTENT_DISPOSITION = 17;
/** The name is not a token (RFC 9110 section 5.1). */
export const INVALID = 18;

const requestKinds = new Map<string, number>([
  ["host", HOST],
  ["content-length", CONTENT_LENGTH],
  ["transfer-encoding", TRANSFER_ENCODING],
  ["connection", CONNECTION],
  ["expect", EXPECT],
  ["x-forwarded-for", X_FORWARDED_FOR],
  ["x-forwarded-proto", X_FORWARDED_PROTO],
  ["x-forwarded-host", X_FORWARDED_HOST],
  ["x-forwarded-port", X_FORWARDED_PORT],
  ["forwarded", FORWARDED],
  ["x-real-ip", FROM_PROXY],
  ["origin", ORIGIN],
  ["referer", ORIGIN],
  ["upgrade", UPGRADE],
  // RFC 9110 section 7.6.1, and what it says of older ones; RFC 9110 section 11.7 (the next proxy consumes it); RFC 7540.
  ["keep-alive", DROP],
  ["proxy-connection", DROP],
  ["te", DROP],
  ["proxy-authorization", DROP],
  ["proxy-authenticate", DROP],
  ["http2-settings", DROP],
]);

const responseKinds = new Map<string, number>([
  ["content-length", CONTENT_LENGTH],
  ["transfer-encoding", TRANSFER_ENCODING],
  ["connection", CONNECTION],
  ["keep-alive", KEEP_ALIVE],
  ["trailer", TRAILER],
  ["content-disposition", CONTENT_DISPOSITION],
  ["upgrade", UPGRADE],
  ["proxy-connection", DROP],
  ["proxy-authenticate", DROP],
  ["proxy-authentication-info", DROP],
  ["te", DROP],
  // Says that the edge made the answer. An upstream that could set it could pass its own pages off as the edge's.
  ["expose-error", DROP],
]);

// RFC 9110 section 6.5.1: what trailers may not carry, because it would come too late to be checked.
const forbiddenTrailers = new Set([
  "authorization",
  "cache-control",
  "content-encoding",
  "content-range",
  "content-type",
  "cookie",
  "max-forwards",
  "set-cookie",
]);

const AUTHORITY_PREFIX = /^(?:x-)?(?:auth|remote|forwarded|real)-/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

// Names come from outside; a flood of new ones must not fill the memory.
const MAX_REMEMBERED = 2_000;
const rememberedRequest = new Map<string, number>();
const rememberedResponse = new Map<string, number>();

/** What to do with a request's field. @param name as it came, a token already */
export function requestHeaderKind(name: string): number {
  const known = rememberedRequest.get(name);
  if (known !== undefined) return known;
  return remember(rememberedRequest, name, classifyRequest(name.toLowerCase()));
}

/** What to do with a response's field. @param name as it came, possibly no token */
export function responseHeaderKind(name: string): number {
  const known = rememberedResponse.get(name);
  if (known !== undefined) return known;
  const kind = TOKEN.test(name)
    ? (responseKinds.get(name.toLowerCase()) ?? PASS)
    : INVALID;
  return remember(rememberedResponse, name, kind);
}

/** Whether a trailer field may pass on (RFC 9110 section 6.5.1). The same in both directions. */
export function mayBeTrailer(name: string): boolean {
  return (
    requestHeaderKind(name) === PASS &&
    responseHeaderKind(name) === PASS &&
    !forbiddenTrailers.has(name.toLowerCase())
  );
}

function remember(
  memory: Map<string, number>,
  name: string,
  kind: number,
): number {
  if (memory.size < MAX_REMEMBERED && name.length <= 64)
    memory.set(detached(name), kind);
  return kind;
}

function classifyRequest(lower: string): number {
  const kind = requestKinds.get(lower);
  if (kind !== undefined) return kind;
  if (lower.startsWith("x-forwarded-")) return FROM_PROXY;
  return isAlias(lower) ? DROP : PASS;
}

// CGI, WSGI, Rack and PHP turn each character that is neither letter nor digit into "_", so for them X_Forwarded_For is
// X-Forwarded-For, and the one that comes last wins. Names that mean nothing special keep their underscores.
function isAlias(lower: string): boolean {
  if (/^[a-z0-9-]*$/.test(lower)) return false;
  const dashed = lower.replace(/[^a-z0-9]/g, "-");
  return (
    requestKinds.has(dashed) ||
    dashed.startsWith("x-forwarded-") ||
    AUTHORITY_PREFIX.test(dashed)
  );
}
