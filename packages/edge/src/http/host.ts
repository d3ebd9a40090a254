// Which host a request is for, and which target goes on to the upstream.
import { isIPv4, isIPv6 } from "node:net";
import { detached } from "../util/detached.ts";
import type { RequestHead } from "./request-head.ts";
import type { Refusal } from "./refusal.ts";

/** A Host value or an authority, taken apart. */
export interface Authority {
  /** Lower-case, without a trailing dot, without the brackets of an IPv6 address. */
  readonly hostname: string;
  /** Undefined where none was given. */
  readonly port: number | undefined;
}

/** Where a request goes. */
export interface Target {
  readonly hostname: string;
  /** Origin-form or `*`, byte for byte what came (after the authority, where there was one). */
  readonly path: string;
}

// Letters, digits, hyphens; underscores because people have them; dots only between labels. No percent-encoding, no
// userinfo, nothing outside ASCII: whatever another parser could read as another host is refused.
const HOSTNAME = /^(?=.{1,254}$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?$/i;
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i;
const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;

/**
 * Decides which host a request is for (RFC 9112 section 3.2). There must be exactly one Host, in HTTP/1.0 too, and a
 * target in absolute-form must agree with it.
 */
export function resolveTarget(
  method: string,
  url: string,
  head: RequestHead,
): Target | Refusal {
  if (method === "CONNECT")
    return {
      code: "request-invalid",
      status: 405,
      detail: "This is no forward proxy: CONNECT is not served.",
    };
  if (head.hosts === 0) return refuse("There is no Host.");
  if (head.hosts > 1) return refuse("There is more than one Host.");
  const authority = parseAuthority(head.host);
  if (!authority) return refuse("The Host is malformed.");
  if (url.charCodeAt(0) === 0x2f || (url === "*" && method === "OPTIONS"))
    return { hostname: authority.hostname, path: url };
  const absolute = ABSOLUTE.exec(url);
  if (!absolute)
    return {
      code: "request-invalid",
      detail: "The target is neither a path nor an http URL.",
    };
  const named = parseAuthority(absolute[2]!);
  const port = absolute[1]!.length === "https".length ? 443 : 80;
  if (
    named?.hostname !== authority.hostname ||
    (named.port ?? port) !== (authority.port ?? port)
  )
    return refuse("The Host and the target name different hosts.");
  return {
    hostname: authority.hostname,
    path: originForm(method, absolute[3]!),
  };
}

// The same few hosts are asked for again and again. Strangers may ask for others; that must not fill the memory.
const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_LENGTH = 100;
const remembered = new Map<string, Authority>();

/** Takes an authority apart. @returns undefined when it is malformed or holds userinfo */
export function parseAuthority(text: string): Authority | undefined {
  const known = remembered.get(text);
  if (known) return known;
  const authority = takeApart(text);
  if (authority && text.length <= MAX_REMEMBERED_LENGTH) {
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    const hostname = detached(authority.hostname);
    remembered.set(detached(text), { ...authority, hostname });
  }
  return authority;
}

function takeApart(text: string): Authority | undefined {
  const match = AUTHORITY.exec(text);
  if (!match) return undefined;
  const port = match[3] === undefined ? undefined : Number(match[3]);
  if (port !== undefined && port > 65_535) return undefined;
  if (match[1] !== undefined) {
    if (!isIPv6(match[1])) return undefined;
    return { hostname: match[1].toLowerCase(), port };
  }
  const name = match[2]!;
  if (!HOSTNAME.test(name)) return undefined;
  const hostname = (
    name.endsWith(".") ? name.slice(0, -1) : name
  ).toLowerCase();
  // A last label of digits alone is an IPv4 address to browsers, or nothing (WHATWG URL, "ends in a number").
  if (/(?:^|\.)\d+$/.test(hostname) && !isIPv4(hostname)) return undefined;
  return { hostname, port };
}

// RFC 9112 section 3.2.1 and 3.2.4: an empty path is sent as "/", or as "*" in an OPTIONS that asks about the server.
function originForm(method: string, rest: string): string {
  if (rest.startsWith("/")) return rest;
  if (rest === "" && method === "OPTIONS") return "*";
  return `/${rest}`;
}

const refuse = (detail: string): Refusal => ({ code: "host-invalid", detail });
