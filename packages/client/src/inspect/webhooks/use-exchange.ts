// For tests: exchanges made by hand.
import type { Exchange, HeaderLine } from "@expose/protocol";

/** What a test says of an exchange; everything else is that of a small POST over HTTPS. */
export interface ExchangeSketch {
  readonly url?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | readonly HeaderLine[];
  readonly body?: string | Buffer;
  /** Milliseconds since 1970. */
  readonly startedAt?: number;
}

/** @returns a complete exchange, and the bytes of its request's body */
export function sketchExchange(sketch: ExchangeSketch): {
  exchange: Exchange;
  body: Buffer;
} {
  const url = sketch.url ?? "https://shop.example.com/hooks";
  const [, origin = "", host = "", target = ""] =
    /^(https?:\/\/([^/]+))(.*)$/s.exec(url) ?? [];
  const body = Buffer.from(sketch.body ?? "");
  const given = sketch.headers ?? [];
  const headers: HeaderLine[] = [
    ["Host", host],
    ...(Array.isArray(given)
      ? (given as readonly HeaderLine[])
      : Object.entries(given as Record<string, string>)),
  ];
  const method = sketch.method ?? "POST";
  return {
    body,
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
      status: 200,
      requestBytes: body.length,
      responseBytes: 0,
      upstream: "localhost:8080",
      request: {
        method,
        target,
        version: "1.1",
        headers,
        trailers: [],
        body: {
          bytes: body.length,
          keptBytes: body.length,
          framing: body.length > 0 ? "length" : "none",
        },
      },
      timing: {},
      redacted: [],
    },
  };
}
