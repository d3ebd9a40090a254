// For the tests of this folder: exchanges to write.
import type { Exchange } from "@expose/protocol";
import { createExchangeId } from "../../../exchange-id.ts";
import type { Row } from "../history-file.ts";

/** A row with a secret in its headers. @param body of the response */
export function makeRow(fields: Partial<Exchange> = {}, body = ""): Row {
  const startedAt = Date.now();
  const bytes = new Uint8Array(Buffer.from(body));
  return {
    exchange: {
      id: createExchangeId(startedAt),
      tunnel: "shop",
      origin: "https://shop.example.com",
      upstream: "localhost:8080",
      kind: "http",
      state: "complete",
      startedAt,
      method: "GET",
      target: "/",
      host: "shop.example.com",
      status: 200,
      requestBytes: 0,
      responseBytes: bytes.length,
      request: {
        method: "GET",
        target: "/",
        version: "1.1",
        headers: [["Authorization", "Bearer abc"]],
        trailers: [],
        body: { bytes: 0, keptBytes: 0, framing: "none" },
      },
      timing: {},
      redacted: [],
      ...fields,
    },
    request: new Uint8Array(),
    response: bytes,
    messages: [],
  };
}
