// Reads from a request's raw header fields, once, all that the phases decide by. req.headers is of no use for that: it
// joins duplicates, and of two Host fields it shows the first.
import * as kinds from "./header-kinds.ts";

/** What a request's head says about itself. Values are as they came. */
export interface RequestHead {
  hosts: number;
  host: string;
  contentLengths: number;
  contentLength: string;
  transferCodings: number;
  transferCoding: string;
  upgrades: number;
  upgrade: string;
  expect: string | undefined;
  /** Names that the Connection field gives to this hop, lower-case, options of the connection itself left out. */
  nominated: Set<string> | undefined;
  /** All fields of that name, joined by commas (RFC 9110 section 5.3). */
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  forwardedHost: string | undefined;
  forwardedPort: string | undefined;
  forwarded: string | undefined;
}

/** @param raw names and values in turn */
export function readRequestHead(raw: readonly string[]): RequestHead {
  const head: RequestHead = {
    hosts: 0,
    host: "",
    contentLengths: 0,
    contentLength: "",
    transferCodings: 0,
    transferCoding: "",
    upgrades: 0,
    upgrade: "",
    expect: undefined,
    nominated: undefined,
    forwardedFor: undefined,
    forwardedProto: undefined,
    forwardedHost: undefined,
    forwardedPort: undefined,
    forwarded: undefined,
  };
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const kind = kinds.requestHeaderKind(raw[i]!);
    if (kind !== kinds.PASS) note(head, kind, raw[i + 1]!);
  }
  return head;
}

/** All fields of a name, joined by commas (RFC 9110 section 5.3); undefined where there is none. @param lower lower-case */
export function joinedField(
  raw: readonly string[],
  lower: string,
): string | undefined {
  let value: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (raw[i]!.toLowerCase() === lower) value = joined(value, raw[i + 1]!);
  return value;
}

/**
 * Adds the names in a Connection field to those that belong to one hop (RFC 9110 section 7.6.1). `close`, `keep-alive`
 * and `upgrade` are options of the connection and name no field that is not dropped anyway.
 */
export function addNominated(
  names: Set<string> | undefined,
  value: string,
): Set<string> | undefined {
  // What nearly all of them say.
  if (value === "keep-alive" || value === "close") return names;
  for (const token of value.split(",")) {
    const name = token.trim().toLowerCase();
    if (name === "" || name === "close") continue;
    if (name === "keep-alive" || name === "upgrade") continue;
    (names ??= new Set()).add(name);
  }
  return names;
}

function note(head: RequestHead, kind: number, value: string): void {
  switch (kind) {
    case kinds.HOST:
      if (head.hosts++ === 0) head.host = value;
      return;
    case kinds.CONTENT_LENGTH:
      head.contentLengths++;
      head.contentLength = value;
      return;
    case kinds.TRANSFER_ENCODING:
      head.transferCodings++;
      head.transferCoding = value;
      return;
    case kinds.UPGRADE:
      head.upgrades++;
      head.upgrade = value;
      return;
    case kinds.CONNECTION:
      head.nominated = addNominated(head.nominated, value);
      return;
    case kinds.EXPECT:
      head.expect = joined(head.expect, value);
      return;
    case kinds.X_FORWARDED_FOR:
      head.forwardedFor = joined(head.forwardedFor, value);
      return;
    case kinds.X_FORWARDED_PROTO:
      head.forwardedProto = joined(head.forwardedProto, value);
      return;
    case kinds.X_FORWARDED_HOST:
      head.forwardedHost = joined(head.forwardedHost, value);
      return;
    case kinds.X_FORWARDED_PORT:
      head.forwardedPort = joined(head.forwardedPort, value);
      return;
    case kinds.FORWARDED:
      head.forwarded = joined(head.forwarded, value);
      return;
  }
}

const joined = (before: string | undefined, value: string): string =>
  before === undefined ? value : `${before}, ${value}`;
