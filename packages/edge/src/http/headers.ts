// Builds the head that goes to the upstream, and drops from an answer what belongs to one hop. Order, case and
// duplicates of what passes are kept.
import { rewriteOrigin, type HostHeaderChange } from "../policy/host-header.ts";
import { saveDisposition } from "./content-disposition.ts";
import { CHUNKED } from "./framing.ts";
import * as kinds from "./header-kinds.ts";
import { addNominated } from "./request-head.ts";

/** All that decides what a request's head looks like to the upstream. */
export interface OutgoingHead {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly nominated: ReadonlySet<string> | undefined;
  /** Bytes, 0 or CHUNKED, as framing.ts decided. */
  readonly framing: number;
  /** Whether `Expect: 100-continue` goes on; no other expectation ever does. */
  readonly expectContinue: boolean;
  /** Whether Connection and Upgrade go on, for a WebSocket. */
  readonly upgrade: boolean;
  /** Whether the peer is a trusted proxy. */
  readonly trusted: boolean;
  readonly change: HostHeaderChange;
  /** Lines of forwarded.ts. */
  readonly forwardedLines: string;
}

/**
 * Writes a request's head as HTTP/1.1. What Connection names and what belongs to one hop goes first and the edge's own
 * fields come last, so that no request can name those away (CVE-2026-33805, CVE-2024-45410). Host and the framing
 * fields cannot be named away either.
 *
 * @returns the head with its empty line, one character a byte (latin1)
 */
export function buildRequestHead(out: OutgoingHead): string {
  const { rawHeaders, nominated, change } = out;
  let head = `${out.method} ${out.path} HTTP/1.1\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    let value: string | undefined = rawHeaders[i + 1]!;
    const kind = kinds.requestHeaderKind(name);
    if (kind !== kinds.PASS) value = special(out, kind, value);
    if (value === undefined) continue;
    if (
      nominated !== undefined &&
      isNominable(kind) &&
      nominated.has(name.toLowerCase())
    )
      continue;
    if (kind === kinds.ORIGIN && change.origin)
      value = rewriteOrigin(value, change.origin);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}${out.forwardedLines}\r\n`;
}

/**
 * Drops from an answer what belongs to one hop, what frames its body (whoever sends it on frames it anew) and what only
 * the edge may say.
 *
 * @param raw names and values in turn
 * @param keepLength whether Content-Length stays
 */
export function filterResponseHeaders(
  raw: readonly string[],
  keepLength: boolean,
): string[] {
  let nominated: Set<string> | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (kinds.responseHeaderKind(raw[i]!) === kinds.CONNECTION)
      nominated = addNominated(nominated, raw[i + 1]!);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    const kind = kinds.responseHeaderKind(name);
    if (
      kind === kinds.CONTENT_LENGTH
        ? keepLength
        : (kind === kinds.PASS || kind === kinds.CONTENT_DISPOSITION) &&
          !nominated?.has(name.toLowerCase())
    )
      kept.push(name, raw[i + 1]!);
  }
  saveDisposition(kept);
  return kept;
}

// The value to send for a field that is not simply passed on; undefined to drop it.
function special(
  out: OutgoingHead,
  kind: number,
  value: string,
): string | undefined {
  switch (kind) {
    case kinds.HOST:
      return out.change.host ?? value;
    case kinds.CONTENT_LENGTH:
      return out.framing === CHUNKED ? undefined : value;
    case kinds.TRANSFER_ENCODING:
      return out.framing === CHUNKED ? "chunked" : undefined;
    case kinds.EXPECT:
      return out.expectContinue ? "100-continue" : undefined;
    case kinds.CONNECTION:
      return out.upgrade ? "Upgrade" : undefined;
    case kinds.UPGRADE:
      return out.upgrade ? "websocket" : undefined;
    case kinds.FROM_PROXY:
      return out.trusted ? value : undefined;
    case kinds.ORIGIN:
      return value;
    default:
      return undefined;
  }
}

const isNominable = (kind: number): boolean =>
  kind !== kinds.HOST &&
  kind !== kinds.CONTENT_LENGTH &&
  kind !== kinds.TRANSFER_ENCODING &&
  kind !== kinds.CONNECTION &&
  kind !== kinds.UPGRADE &&
  kind !== kinds.EXPECT;
