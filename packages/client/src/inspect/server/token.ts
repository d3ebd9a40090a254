// The secret of one run of the inspector, and how it is asked for.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 256 bits that cannot be guessed, in characters that a cookie and a header take. */
export const createToken = (): string => randomBytes(32).toString("base64url");

/** Fewer can be guessed by whoever may ask as often as they like. */
export const MIN_TOKEN_CHARACTERS = 16;

/** Whether a token that a person made up is long enough, and one that a header takes (RFC 6750 section 2.1). */
export const isGoodToken = (token: string): boolean =>
  token.length >= MIN_TOKEN_CHARACTERS && /^[A-Za-z0-9._~+/-]+=*$/.test(token);

/**
 * Compares in a time that tells nothing. Both are hashed first: timingSafeEqual throws on unequal lengths, and a length
 * that is compared beforehand tells something.
 */
export function isSameSecret(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

const digest = (text: string): Buffer =>
  createHash("sha256").update(text).digest();

/** Cookies know no ports (RFC 6265 section 8.5): with one name for all, two inspectors would sign each other out. */
export const cookieName = (port: number): string => `expose_inspect_${port}`;

/** The line that gives a browser the token: out of reach for scripts and for requests that other sites cause. */
export const setCookie = (port: number, token: string): string =>
  `${cookieName(port)}=${token}; HttpOnly; SameSite=Strict; Path=/`;

/**
 * Finds the secrets that a request brings: one in Authorization, one in our cookie.
 *
 * @returns none, one or two
 */
export function readSecrets(
  headers: { authorization?: string | undefined; cookie?: string | undefined },
  port: number,
): string[] {
  const bearer = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(
    headers.authorization ?? "",
  )?.[1];
  const prefix = `${cookieName(port)}=`;
  const cookie = (headers.cookie ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(prefix))
    ?.slice(prefix.length);
  return [bearer, cookie].filter((secret) => secret !== undefined);
}
