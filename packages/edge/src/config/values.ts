// How the texts of the configuration become values. Each reader throws a ValueProblem that says what is expected.
import { isIP, isIPv4 } from "node:net";
import { explainInvalidName } from "@expose/protocol";
import { parsePortRange, type PortRange } from "../util/port-range.ts";

/** A text that cannot be read; the message says what is expected and never needs the path, the caller adds it. */
export class ValueProblem extends Error {
  override name = "ValueProblem";
}

/** An address to listen on. */
export interface ListenAddress {
  /** An IP address, or a host name that resolves to one. `::` and `0.0.0.0` stand for all. */
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
}

/** How visitors reach the edge from outside, when something stands in front of it. */
export interface PublicUrl {
  readonly scheme: "http" | "https";
  /** The host as written, `*.` in front included. */
  readonly host: string;
  readonly port: number;
}

const DURATION_UNITS = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60 * 1_000],
  ["h", 60 * 60 * 1_000],
  ["d", 24 * 60 * 60 * 1_000],
]);

// setTimeout takes 32 bits and fires at once beyond them.
const MAX_DURATION_MS = 2 ** 31 - 1;

/** The shape of a duration, for JSON schema as well. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** @returns milliseconds */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  const ms = match
    ? Math.round(Number(match[1]) * DURATION_UNITS.get(match[2]!)!)
    : undefined;
  if (ms === undefined)
    throw new ValueProblem(
      `expected a duration such as 500ms, 30s, 5m or 1h, got ${quote(text)}`,
    );
  if (ms > MAX_DURATION_MS)
    throw new ValueProblem(`expected at most 24d, got ${quote(text)}`);
  return ms;
}

const SIZE_UNITS = new Map([
  ["B", 1],
  ["KiB", 1024],
  ["MiB", 1024 ** 2],
  ["GiB", 1024 ** 3],
]);

/** The shape of a size, for JSON schema as well. */
export const SIZE = /^(\d+)(B|KiB|MiB|GiB)$/;

/** @returns bytes */
export function parseSize(text: string): number {
  const match = SIZE.exec(text);
  const bytes = match ? Number(match[1]) * SIZE_UNITS.get(match[2]!)! : NaN;
  if (!Number.isSafeInteger(bytes))
    throw new ValueProblem(
      `expected a size such as 512B, 16KiB or 4MiB, got ${quote(text)}`,
    );
  return bytes;
}

// RFC 1123 section 2.1. Underscores are no host names, and a label of digits alone in last place would be an address.
const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

// A name of 63 characters and its dot go in front (RFC 1035 section 2.3.4: 253 in all).
const MAX_DOMAIN_LENGTH = 253 - 64;

/** @returns the domain in lower case */
export function parseDomain(text: string): string {
  const domain = text.toLowerCase();
  const complain = (mend: string): never => {
    throw new ValueProblem(
      `expected a domain such as tunnel.example.com, got ${quote(text)}${mend}`,
    );
  };
  if (domain.includes("://") || domain.includes("/"))
    complain("; leave scheme and path away");
  if (domain.startsWith("*."))
    complain(
      `; every name under a domain is served, write "${domain.slice(2)}"`,
    );
  if (domain.endsWith(".")) complain("; leave the last dot away");
  if (isIP(domain))
    complain("; names need a domain, an address has none under it");
  // oxlint-disable-next-line no-control-regex -- all that is not ASCII
  if (/[^\x00-\x7f]/.test(domain)) complain("; write its ASCII form (xn--…)");
  if (/:\d+$/.test(domain)) complain("; ports stand in listen and public-url");
  if (domain.length > MAX_DOMAIN_LENGTH)
    complain(`; it may have ${MAX_DOMAIN_LENGTH} characters`);
  const labels = domain.split(".");
  if (
    !labels.every((label) => HOST_LABEL.test(label)) ||
    /^\d+$/.test(labels.at(-1)!)
  )
    complain("");
  return domain;
}

/** Reads `host:port`, `[v6]:port` or `*:port`. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(
    text,
  );
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] && isIP(host) !== 6))
    throw new ValueProblem(
      `expected an address and a port such as 127.0.0.1:7780, [::1]:7780 or *:7780, got ${quote(text)}`,
    );
  if (host === "*") return { host: "::", port };
  if (
    !isIP(host) &&
    !host.split(".").every((label) => HOST_LABEL.test(label.toLowerCase()))
  )
    throw new ValueProblem(`expected an address, got ${quote(host)}`);
  return { host, port };
}

/** Whether only this machine can reach an address. Names other than localhost could lead anywhere. */
export const isLoopback = ({ host }: ListenAddress): boolean =>
  host === "localhost" ||
  host === "::1" ||
  (isIPv4(host) && host.startsWith("127."));

/** Gives an address back as text. */
export const formatListen = ({ host, port }: ListenAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Reads `https://tunnel.example.com:8443`, with or without `*.` in front of the host. */
export function parsePublicUrl(text: string): PublicUrl {
  const match =
    /^(https?):\/\/((?:\*\.)?[^/:@?#\s*]+)(?::(\d{1,5}))?\/?$/i.exec(text);
  const scheme = match?.[1]!.toLowerCase() as "http" | "https" | undefined;
  const port = match?.[3] ? Number(match[3]) : scheme === "http" ? 80 : 443;
  if (!match || port < 1 || port > 65_535)
    throw new ValueProblem(
      `expected a URL without a path such as https://tunnel.example.com or https://tunnel.example.com:8443, got ${quote(text)}`,
    );
  return { scheme: scheme!, host: match[2]!.toLowerCase(), port };
}

/** Reads an IP address or a network in CIDR notation. */
export function parseNetwork(text: string): string {
  const [address = "", prefix, ...more] = text.split("/");
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)]!;
  const valid =
    bits > 0 &&
    !address.includes("%") &&
    more.length === 0 &&
    (prefix === undefined ||
      (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits));
  if (!valid)
    throw new ValueProblem(
      `expected an IP address or a network such as 10.0.0.0/8, got ${quote(text)}`,
    );
  // Whoever is trusted says who the visitor is: trusting all would let each visitor choose an address.
  if (prefix !== undefined && Number(prefix) === 0)
    throw new ValueProblem(
      `${quote(text)} trusts the whole Internet; name the addresses of your proxies`,
    );
  return text.toLowerCase();
}

/** Reads a tunnel's name. */
export function parseName(text: string): string {
  const problem = explainInvalidName(text);
  if (problem !== undefined)
    throw new ValueProblem(`${quote(text)} cannot be a name. ${problem}`);
  return text;
}

/** Reads the name of a system account. */
export function parseAccount(text: string): string {
  // useradd(8), CAVEATS.
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(text))
    throw new ValueProblem(
      `expected the name of a system account, got ${quote(text)}`,
    );
  return text;
}

/** Reads the name of a header or a query parameter. @returns it in lower case */
export function parseHeaderName(text: string): string {
  // RFC 9110 section 5.6.2, token.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$/.test(text))
    throw new ValueProblem(
      `expected the name of a header or a query parameter, got ${quote(text)}`,
    );
  return text.toLowerCase();
}

/** Reads `20000` or `20000-20009`. */
export function parsePorts(text: string): PortRange {
  const range = parsePortRange(text);
  if (!range)
    throw new ValueProblem(
      `expected a port or a range such as 20000-20009, got ${quote(text)}`,
    );
  return range;
}

/** Quotes a value of unknown length and content for a message. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
