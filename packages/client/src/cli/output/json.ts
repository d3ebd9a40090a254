// NDJSON for programs: one event a line on stdout. docs/cli.md lists the events; fields may be added, none change.
import type { ExposeError } from "../../errors.ts";
import type { RequestInfo, Tunnel } from "../../tunnel.ts";
import type { Output } from "./output.ts";

/** The part of stdout that is needed here. */
export interface JsonSink {
  write(text: string): unknown;
  /** Bytes that wait because the reader is slow. */
  readonly writableLength: number;
}

// A reader that stopped reading must not make us keep every request in memory: beyond this, `request` events are left
// out and counted in the next one's `dropped`. The other events are few.
const MAX_QUEUED_BYTES = 1024 * 1024;

/** @param now clock for the `time` field */
export function createJsonOutput(
  stdout: JsonSink,
  now: () => Date = () => new Date(),
): Output {
  let droppedHere = 0;

  const emit = (event: string, fields: Record<string, unknown>): void => {
    stdout.write(encodeEvent(event, now(), fields));
  };

  return {
    ready(session, tunnels) {
      for (const tunnel of tunnels)
        emit("ready", {
          tunnel: tunnel.name,
          url: tunnel.url,
          upstream: tunnel.upstream,
          server: session.server,
          identity: session.identity,
          ingress: session.ingress,
          edge: session.edgeVersion,
        });
    },
    inspecting: (url) => emit("inspecting", { url }),
    request(tunnel, request) {
      if (stdout.writableLength > MAX_QUEUED_BYTES) {
        droppedHere += 1 + request.dropped;
        return;
      }
      emit("request", requestFields(tunnel, request, droppedHere));
      droppedHere = 0;
    },
    hint: (tunnel, { code, message, fix }) =>
      emit("hint", { tunnel: tunnel.name, code, message, fix }),
    reconnecting: (tunnel, { attempt, delayMs, error }) =>
      emit("reconnecting", {
        tunnel: tunnel.name,
        attempt,
        delayMs: Math.round(delayMs),
        code: error.code,
        message: error.message,
      }),
    reconnected: (tunnel, { url, downMs }) =>
      emit("reconnected", {
        tunnel: tunnel.name,
        url,
        downMs: Math.round(downMs),
      }),
    upstream: (tunnel, { state, reason }) =>
      emit("upstream", { tunnel: tunnel.name, state, reason }),
    closed: (tunnel, error) =>
      emit("closed", {
        tunnel: tunnel.name,
        url: tunnel.url,
        code: error?.code,
        message: error?.message,
      }),
    notice: (message) => emit("notice", { message }),
    qr() {},
    async end() {},
    endNow() {},
  };
}

/** The event that says why the command failed; the last line of a run that did. */
export function encodeErrorEvent(
  error: Pick<ExposeError, "message" | "edgeCode"> & { code: string },
  exitStatus: number,
  now: Date,
): string {
  return encodeEvent("error", now, {
    code: error.code,
    message: error.message,
    edgeCode: error.edgeCode,
    exit: exitStatus,
  });
}

function requestFields(
  tunnel: Tunnel,
  request: RequestInfo,
  droppedHere: number,
): Record<string, unknown> {
  return {
    tunnel: tunnel.name,
    method: request.method,
    path: request.path,
    status: request.status,
    ms: Math.round(request.durationMs * 1_000) / 1_000,
    visitor: request.visitor,
    bytesIn: request.bytesIn,
    bytesOut: request.bytesOut,
    error: request.error,
    webhook: request.webhook,
    dropped: request.dropped + droppedHere,
  };
}

/** One line of NDJSON. */
export function encodeEvent(
  event: string,
  time: Date,
  fields: Record<string, unknown>,
): string {
  return `${printable(JSON.stringify({ event, time: time.toISOString(), ...fields }))}\n`;
}

// JSON.stringify leaves DEL, C1 and the bidi controls as they are (RFC 8259 section 7 lets them be). People read JSON
// in terminals too, so they are written as escapes, which mean the same to a parser.
function printable(json: string): string {
  return json.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cf}]/gu, (character) =>
    // One escape for each UTF-16 code unit, as JSON has it.
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
