// Exchanges that hold a payload wherever something captured can stand.
import type {
  Exchange,
  ExchangeMessage,
  HeaderLine,
  InspectorStatus,
} from "@expose/protocol";
import type { FakeExchange } from "./fake-client.ts";
import { sample } from "./sample.ts";

/** One for each kind of view, with the payload in every field. */
export function hostileExchanges(payload: string): FakeExchange[] {
  const bytes = Buffer.from(payload);
  const bodies = { request: bytes, response: bytes };
  const view = {
    text: payload,
    type: payload,
    note: payload,
    decoded: [payload],
  };
  const error = { message: payload, line: 1, column: 3 };
  return [
    {
      exchange: hostile(payload, {
        webhook: {
          provider: payload,
          event: payload,
          verdict: "failed",
          reason: payload,
        },
      }),
      views: {
        request: { kind: "json", ...view },
        response: { kind: "json", ...view, error },
      },
      bodies,
    },
    {
      exchange: hostile(payload, {
        webhook: { provider: payload, event: payload, verdict: "verified" },
      }),
      views: {
        request: { kind: "xml", ...view },
        response: { kind: "xml", ...view, error },
      },
      bodies,
    },
    {
      exchange: hostile(payload, { replayOf: sample().id }),
      views: {
        request: {
          kind: "form",
          note: payload,
          fields: [{ name: payload, value: payload }],
        },
        response: {
          kind: "multipart",
          parts: [
            {
              headers: [[payload, payload]],
              name: payload,
              filename: payload,
              type: payload,
              bytes: 1,
              text: payload,
            },
            {
              headers: [],
              filename: payload,
              bytes: 1,
              base64: bytes.toString("base64"),
            },
          ],
        },
      },
      bodies,
    },
    {
      exchange: hostile(payload),
      views: {
        request: { kind: "text", ...view },
        response: { kind: "hex", ...view },
      },
      bodies,
    },
    {
      exchange: hostile(payload),
      // Types that would make a document of the bytes, one of them said to be a picture.
      views: {
        request: { kind: "image", ...view, type: "image/svg+xml" },
        response: { kind: "image", ...view, type: "image/png" },
      },
      bodies: {
        request: Buffer.from(
          `<svg xmlns="http://www.w3.org/2000/svg">${payload}</svg>`,
        ),
        response: bytes,
      },
    },
    {
      exchange: hostile(payload, {
        kind: "websocket",
        status: 101,
        messages: 3,
      }),
      messages: [
        message(payload, 0, { type: "text" }),
        message(payload, 1, {
          type: "binary",
          encoding: "base64",
          data: bytes.toString("base64"),
        }),
        message(payload, 2, { type: "close", closeCode: 1_001 }),
      ],
    },
    {
      exchange: hostile(payload, {
        kind: "events",
        messages: 1,
        state: "open",
      }),
      messages: [
        message(payload, 0, {
          type: "event",
          event: payload,
          eventId: payload,
        }),
      ],
    },
    { exchange: hostileConnection(payload) },
  ];
}

/** What the client says of itself, with a tunnel for each payload. */
export const hostileStatus = (
  payloads: readonly string[],
): InspectorStatus => ({
  version: payloads[0]!,
  tunnels: payloads.map((payload) => ({
    name: payload,
    url: payload,
    upstream: payload,
    // No client says such a thing; the page shows it like the rest.
    state: payload as "online",
    openConnections: 1,
  })),
  store: {
    exchanges: 1,
    bytes: 1,
    missed: 1,
    memoryOnlyBecause: payloads.join(" "),
  },
  secrets: [...payloads],
});

function hostile(payload: string, changes: Partial<Exchange> = {}): Exchange {
  const headers: HeaderLine[] = [
    [payload, payload],
    ["Content-Type", payload],
    ["Location", payload],
  ];
  const body = { bytes: 100, keptBytes: 10, framing: "length" } as const;
  const base = sample(changes);
  return {
    ...base,
    tunnel: payload,
    origin: payload,
    method: payload,
    target: `/${base.id}?${payload}`,
    host: payload,
    upstream: payload,
    visitor: payload,
    note: payload,
    requestType: payload,
    responseType: payload,
    redacted: [payload],
    request: {
      ...base.request!,
      method: payload,
      target: payload,
      headers,
      trailers: headers,
      body,
    },
    response: {
      ...base.response!,
      reason: payload,
      headers,
      trailers: headers,
      body,
      informational: [{ status: 103, headers }],
    },
  };
}

const NOT_OF_CONNECTIONS = new Set(["request", "response", "status"]);

/** Bytes that are no HTTP: no request, no response, and a note. */
function hostileConnection(payload: string): Exchange {
  const whole = hostile(payload, { kind: "raw" });
  const rest = Object.fromEntries(
    Object.entries(whole).filter(([name]) => !NOT_OF_CONNECTIONS.has(name)),
  ) as unknown as Exchange; // all that is left out is optional
  return { ...rest, method: "", target: "", note: `${whole.id} ${payload}` };
}

const message = (
  payload: string,
  index: number,
  changes: Partial<ExchangeMessage>,
): ExchangeMessage => ({
  index,
  direction: "in",
  atMs: index,
  type: "text",
  bytes: 500,
  keptBytes: 400,
  data: payload,
  encoding: "utf8",
  ...changes,
});
