// Who the visitor is, and the header fields that tell the upstream so (X-Forwarded-*, and Forwarded of RFC 7239).
import { BlockList, isIP, isIPv6 } from "node:net";
import { EdgeError } from "../errors.ts";
import { detached } from "../util/detached.ts";
import { parseAuthority } from "./host.ts";
import { MAX_FORWARDED_HOPS } from "./limits.ts";
import type { RequestHead } from "./request-head.ts";

/** The proxies whose word counts. */
export interface TrustedProxies {
  has(address: string): boolean;
}

/** What is known about the connection that a request came on. */
export interface Peer {
  readonly address: string;
  /** Whether it is a trusted proxy. */
  readonly trusted: boolean;
  /** What was decided last for an untrusted peer, who mostly asks for the same host again. */
  lastForwarded?:
    { readonly host: string; readonly forwarded: Forwarded } | undefined;
}

/** How visitors reach the edge. */
export interface PublicAddress {
  readonly scheme: "http" | "https";
  readonly port: number;
}

/** The outcome for one request. */
export interface Forwarded {
  /** The visitor's IP address, trusted proxies taken into account. */
  readonly visitor: string;
  /** Header lines, each with its line end. */
  readonly lines: string;
}

/**
 * @param list IP addresses and CIDR blocks: `127.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`
 * @throws EdgeError `config-invalid` for an entry that is neither
 */
export function createTrustedProxies(list: readonly string[]): TrustedProxies {
  const blocks = new BlockList();
  for (const entry of list) {
    const [address = "", bits, ...more] = entry.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    const size = bits === undefined ? undefined : Number(bits);
    if (
      isIP(address) === 0 ||
      more.length > 0 ||
      (bits !== undefined && !/^\d{1,3}$/.test(bits)) ||
      (size !== undefined && size > (family === "ipv6" ? 128 : 32))
    )
      throw new EdgeError(
        "config-invalid",
        `"${entry}" in the trusted proxies is neither an IP address nor a CIDR block such as 10.0.0.0/8.`,
      );
    if (size === undefined) blocks.addAddress(address, family);
    else blocks.addSubnet(address, size, family);
  }
  return {
    has: (address) =>
      list.length > 0 &&
      isIP(address) !== 0 &&
      blocks.check(address, isIPv6(address) ? "ipv6" : "ipv4"),
  };
}

/** Writes an IPv4 address that came in IPv6 clothes (`::ffff:192.0.2.1`) as what it is. */
export function plainAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address)
    ? address.slice("::ffff:".length)
    : address;
}

/**
 * Decides who the visitor is and what the upstream is told.
 *
 * What an untrusted peer says of itself is dropped. What a trusted one says is believed as far as trusted proxies
 * reach: X-Forwarded-For is read from the right up to the first address that is no trusted proxy, and what stands
 * further left is cut off, since anybody may have written it and many frameworks take the leftmost. Forwarded is read in
 * the same way where there is no X-Forwarded-For; where there is, the proxies do not speak it, and have passed on what
 * the visitor wrote. The fields are complete after this: the request's own must not be sent as well.
 *
 * @param host the Host field as it came
 */
export function decideForwarded(
  head: RequestHead,
  host: string,
  peer: Peer,
  proxies: TrustedProxies,
  address: PublicAddress,
): Forwarded {
  if (!peer.trusted) {
    const forwarded = ofUntrusted(host, peer, address);
    // Sent only where one came, so that it is overwritten and not missed.
    return head.forwarded === undefined
      ? forwarded
      : {
          visitor: peer.address,
          lines:
            forwarded.lines +
            forwardedLine([peer.address], address.scheme, host),
        };
  }

  const elements =
    head.forwardedFor === undefined ? (head.forwarded?.split(",") ?? []) : [];
  const chain = trustedChain(
    head.forwardedFor?.split(",") ??
      elements.map((element) => parameter(element, "for")),
    peer.address,
    proxies,
  );
  const own = elements.at(-1) ?? "";
  const proto =
    scheme(last(head.forwardedProto)) ??
    scheme(parameter(own, "proto")) ??
    address.scheme;
  const given = last(head.forwardedHost) || parameter(own, "host");
  const shown = given !== "" && parseAuthority(given) ? given : host;
  const port =
    portNumber(last(head.forwardedPort)) ??
    (proto === address.scheme ? address.port : proto.endsWith("s") ? 443 : 80);
  const lines = forwardedLines(chain.join(", "), proto, shown, port);
  return {
    visitor: chain[0]!,
    lines:
      head.forwarded === undefined
        ? lines
        : `${lines}${forwardedLine(chain, proto, shown)}`,
  };
}

function ofUntrusted(
  host: string,
  peer: Peer,
  address: PublicAddress,
): Forwarded {
  if (peer.lastForwarded?.host === host) return peer.lastForwarded.forwarded;
  const lines = forwardedLines(
    peer.address,
    address.scheme,
    host,
    address.port,
  );
  const forwarded = { visitor: peer.address, lines: detached(lines) };
  peer.lastForwarded = { host: detached(host), forwarded };
  return forwarded;
}

function forwardedLines(
  chain: string,
  proto: string,
  host: string,
  port: number,
): string {
  return `X-Forwarded-For: ${chain}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${host}\r\nX-Forwarded-Port: ${port}\r\n`;
}

// RFC 7239 section 4. The first element is of whoever stands nearest to the visitor, and says what the visitor asked for.
const forwardedLine = (
  [visitor = "", ...others]: readonly string[],
  proto: string,
  host: string,
): string =>
  `Forwarded: ${[`${element(visitor)};host="${host}";proto=${proto}`, ...others.map(element)].join(", ")}\r\n`;

// The addresses from the visitor to the peer.
function trustedChain(
  entries: readonly string[],
  peer: string,
  proxies: TrustedProxies,
): string[] {
  const chain = [peer];
  for (let i = entries.length - 1; i >= 0; i--) {
    const address = entryAddress(entries[i]!.trim());
    if (address === undefined || chain.length > MAX_FORWARDED_HOPS) break;
    chain.unshift(address);
    if (!proxies.has(address)) break;
  }
  return chain;
}

// Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
function entryAddress(entry: string): string | undefined {
  if (isIP(entry) !== 0) return plainAddress(entry);
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::\d{1,5})?$/i.exec(entry);
  const address = match?.[1] ?? match?.[2];
  return address !== undefined && isIP(address) !== 0
    ? plainAddress(address)
    : undefined;
}

// Of an element of Forwarded. Neither addresses nor hosts hold what would have to stand behind a backslash.
function parameter(element: string, name: string): string {
  for (const pair of element.split(";")) {
    const match = /^([a-z]+)=("?)([^"\\]*)\2$/i.exec(pair.trim());
    if (match?.[1]!.toLowerCase() === name) return match[3]!;
  }
  return "";
}

// RFC 7239 section 6: an IPv6 address stands in brackets, hence in quotes.
const element = (address: string): string =>
  address.includes(":") ? `for="[${address}]"` : `for=${address}`;

// Of a list, the entry of the peer itself: the others are hearsay.
function last(value: string | undefined): string {
  return value === undefined
    ? ""
    : value.slice(value.lastIndexOf(",") + 1).trim();
}

// Traefik says ws and wss of WebSockets.
function scheme(value: string): string | undefined {
  const lower = value.toLowerCase();
  return /^(?:https?|wss?)$/.test(lower) ? lower : undefined;
}

function portNumber(value: string): number | undefined {
  if (!/^\d{1,5}$/.test(value)) return undefined;
  const port = Number(value);
  return port >= 1 && port <= 65_535 ? port : undefined;
}
