// For tests: whole exchanges made by hand, with bodies and messages.
import type { Exchange, ExchangeMessage, HeaderLine } from "@expose/protocol";
import type { StoredExchange } from "./capture.ts";
import { valueOf } from "./header-values.ts";

/** What a test says of an exchange; everything else is that of a small POST over HTTPS that was answered 200. */
export interface ExchangeSketch {
  readonly url?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | readonly HeaderLine[];
  readonly body?: string | Buffer;
  readonly startedAt?: number;
  readonly status?: number;
  readonly responseHeaders?: readonly HeaderLine[];
  readonly responseBody?: string | Buffer;
  readonly messages?: readonly ExchangeMessage[];
  /** Takes the place of what the sketch comes to. */
  readonly over?: Partial<Exchange>;
}

/** @returns a complete exchange with all that is kept of it */
export function sketchStored(sketch: ExchangeSketch = {}): StoredExchange {
  const url = sketch.url ?? "https://shop.example.com/hooks";
  const [, origin = "", host = "", target = ""] =
    /^(https?:\/\/([^/]+))(.*)$/s.exec(url) ?? [];
  const request = Buffer.from(sketch.body ?? "");
  const response = Buffer.from(sketch.responseBody ?? "");
  const method = sketch.method ?? "POST";
  const status = sketch.status ?? 200;
  const responseHeaders = sketch.responseHeaders ?? [];
  return {
    bodies: { request, response },
    messages: sketch.messages ?? [],
    exchange: {
      id: "01JD8QZ6V0000000000000ABCD",
      tunnel: "shop",
      origin,
      kind: "http",
      state: "complete",
      startedAt: sketch.startedAt ?? Date.now(),
      method,
      target,
      host,
      status,
      durationMs: 12.5,
      requestBytes: request.length,
      responseBytes: response.length,
      responseType: valueOf(responseHeaders, "content-type") ?? "",
      upstream: "localhost:8080",
      request: {
        method,
        target,
        version: "1.1",
        headers: [["Host", host], ...toLines(sketch.headers ?? [])],
        trailers: [],
        body: facts(request),
      },
      response: {
        status,
        reason: "OK",
        version: "1.1",
        headers: responseHeaders,
        trailers: [],
        body: facts(response),
        informational: [],
      },
      timing: {
        requestHeadMs: 0.5,
        requestEndMs: 1,
        responseStartMs: 10,
        responseHeadMs: 10,
        responseEndMs: 12.5,
      },
      redacted: [],
      ...sketch.over,
    },
  };
}

const toLines = (
  headers: NonNullable<ExchangeSketch["headers"]>,
): readonly HeaderLine[] =>
  Array.isArray(headers)
    ? (headers as readonly HeaderLine[])
    : Object.entries(headers as Record<string, string>);

const facts = (body: Buffer) =>
  ({
    bytes: body.length,
    keptBytes: body.length,
    framing: body.length > 0 ? "length" : "none",
  }) as const;
