// A record for tests.
import type { RequestRecord } from "./record.ts";

/** A plausible record, with the given fields in place of its own. */
export const recordOf = (
  fields: Partial<RequestRecord> = {},
): RequestRecord => ({
  startedAt: Date.UTC(2026, 10, 22, 12),
  tunnel: "shop",
  identity: "alice@laptop",
  visitor: "203.0.113.5",
  method: "POST",
  target: "/hook?token=s3cret&page=2",
  host: "shop.tunnel.example.com",
  httpVersion: "1.1",
  rawHeaders: [
    ...["Host", "shop.tunnel.example.com"],
    ...["Accept", "text/html"],
    ...["Accept", "*/*"],
    ...["Authorization", "Bearer s3cret"],
    ...["X-Hub-Signature-256", "sha256=s3cret"],
  ],
  status: 201,
  error: undefined,
  upgraded: false,
  routeMs: 0.01234,
  connectMs: 0.5,
  firstByteMs: 3.25,
  totalMs: 4.5,
  bytesIn: 10,
  bytesOut: 20,
  retried: false,
  ...fields,
});
