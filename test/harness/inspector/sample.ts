// Exchanges for the tests of the page, made of few words.
import type { Exchange, HeaderLine } from "@expose/protocol";

let count = 0;

/** An id of 26 characters that sorts behind those made before. */
export const nextId = (): string =>
  `01TEST${String(count++).padStart(20, "0")}`;

/** A whole exchange; what is given takes the place of what it would hold. */
export function sample(changes: Partial<Exchange> = {}): Exchange {
  const { method = "GET", target = "/", status = 200 } = changes;
  const requestHeaders: HeaderLine[] = [
    ["Host", "shop.example.com"],
    ["User-Agent", "curl/8.5.0"],
    ["Accept", "*/*"],
  ];
  const responseHeaders: HeaderLine[] = [
    ["Content-Type", "application/json"],
    ["Content-Length", "17"],
  ];
  return {
    id: nextId(),
    tunnel: "shop",
    origin: "https://shop.example.com",
    kind: "http",
    state: "complete",
    startedAt: Date.now(),
    method,
    target,
    host: "shop.example.com",
    status,
    durationMs: 24.2,
    requestBytes: 0,
    responseBytes: 17,
    responseType: "application/json",
    upstream: "localhost:8080",
    visitor: "203.0.113.7",
    request: {
      method,
      target,
      version: "1.1",
      headers: requestHeaders,
      trailers: [],
      body: { bytes: 0, keptBytes: 0, framing: "none" },
    },
    response: {
      status,
      reason: "OK",
      version: "1.1",
      headers: responseHeaders,
      trailers: [],
      body: { bytes: 17, keptBytes: 17, framing: "length" },
      informational: [],
    },
    timing: {
      requestHeadMs: 0.4,
      requestEndMs: 0.5,
      responseStartMs: 22.1,
      responseHeadMs: 22.3,
      responseEndMs: 24.2,
    },
    redacted: [],
    ...changes,
  };
}
