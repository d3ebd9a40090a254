// An exchange in the shape that ngrok's local API gives to one.
import type {
  CapturedRequest,
  CapturedResponse,
  Exchange,
  HeaderLine,
} from "@expose/protocol";
import type { StoredBodies } from "../../capture.ts";
import { redact } from "../../store/redact.ts";

const NANOSECONDS_PER_MS = 1_000_000;

/**
 * @param trusted whether the reader may see secrets of headers
 */
export function describeRequest(
  exchange: Exchange,
  bodies: StoredBodies,
  trusted: boolean,
): unknown {
  const { request, response } = trusted ? exchange : redact(exchange);
  return {
    uri: `/api/requests/http/${exchange.id}`,
    id: exchange.id,
    tunnel_name: exchange.tunnel,
    remote_addr: exchange.visitor ?? "",
    start: new Date(exchange.startedAt).toISOString(),
    duration: Math.round((exchange.durationMs ?? 0) * NANOSECONDS_PER_MS),
    ...(request && { request: one(request, bodies.request) }),
    ...(response && { response: other(response, bodies.response) }),
  };
}

function one(request: CapturedRequest, body: Buffer): unknown {
  const { method, target, version, headers } = request;
  return {
    method,
    proto: `HTTP/${version}`,
    headers: asRecord(headers),
    uri: target,
    raw: raw(`${method} ${target} HTTP/${version}`, headers, body),
  };
}

function other(response: CapturedResponse, body: Buffer): unknown {
  const { status, reason, version, headers } = response;
  return {
    status: `${status} ${reason}`.trim(),
    status_code: status,
    proto: `HTTP/${version}`,
    headers: asRecord(headers),
    raw: raw(`HTTP/${version} ${status} ${reason}`, headers, body),
  };
}

// Names as Go's net/http writes them: scripts look for "User-Agent" however it was sent.
function asRecord(headers: readonly HeaderLine[]): Record<string, string[]> {
  const record: Record<string, string[]> = Object.create(null) as Record<
    string,
    string[]
  >;
  for (const [name, value] of headers)
    (record[canonical(name)] ??= []).push(value);
  return record;
}

const canonical = (name: string): string =>
  name
    .toLowerCase()
    .replace(
      /(^|-)([a-z])/g,
      (_all, before: string, letter: string) =>
        `${before}${letter.toUpperCase()}`,
    );

// Head and body as they passed, transfer coding undone.
const raw = (
  first: string,
  headers: readonly HeaderLine[],
  body: Buffer,
): string =>
  Buffer.concat([
    Buffer.from(
      `${first}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
      "latin1",
    ),
    body,
  ]).toString("base64");
