// The signatures of five webhook schemes: what senders compute, and what receivers check over the bytes that they got.
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** One scheme. */
export interface WebhookScheme {
  readonly name: string;
  /** Headers that the sender adds. */
  sign(delivery: Delivery): Record<string, string>;
  /** Whether the signature in the headers is that of the body. */
  verify(headers: IncomingHttpHeaders, body: Buffer, secret: string): boolean;
}

/** What is sent. */
export interface Delivery {
  readonly secret: string;
  readonly body: Buffer;
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

export const webhookSchemes: readonly WebhookScheme[] = [
  {
    name: "GitHub",
    sign: ({ secret, body }) => ({
      "X-Hub-Signature-256": `sha256=${hmac(secret, "hex", body)}`,
    }),
    verify: (headers, body, secret) =>
      same(
        headers["x-hub-signature-256"],
        `sha256=${hmac(secret, "hex", body)}`,
      ),
  },
  {
    name: "Stripe",
    sign: ({ secret, body, timestamp }) => ({
      "Stripe-Signature": `t=${timestamp},v1=${hmac(secret, "hex", `${timestamp}.`, body)}`,
    }),
    verify(headers, body, secret) {
      const [, timestamp, signature] =
        /^t=(\d+),v1=([0-9a-f]+)$/.exec(String(headers["stripe-signature"])) ??
        [];
      return same(signature, hmac(secret, "hex", `${timestamp}.`, body));
    },
  },
  {
    name: "Slack",
    sign: ({ secret, body, timestamp }) => ({
      "X-Slack-Request-Timestamp": String(timestamp),
      "X-Slack-Signature": `v0=${hmac(secret, "hex", `v0:${timestamp}:`, body)}`,
    }),
    verify: (headers, body, secret) =>
      same(
        headers["x-slack-signature"],
        `v0=${hmac(secret, "hex", `v0:${String(headers["x-slack-request-timestamp"])}:`, body)}`,
      ),
  },
  {
    name: "Shopify",
    sign: ({ secret, body }) => ({
      "X-Shopify-Hmac-Sha256": hmac(secret, "base64", body),
    }),
    verify: (headers, body, secret) =>
      same(headers["x-shopify-hmac-sha256"], hmac(secret, "base64", body)),
  },
  {
    name: "Standard Webhooks",
    sign: ({ secret, body, id, timestamp }) => ({
      "Webhook-Id": id,
      "Webhook-Timestamp": String(timestamp),
      "Webhook-Signature": `v1,${hmac(standardKey(secret), "base64", `${id}.${timestamp}.`, body)}`,
    }),
    verify: (headers, body, secret) =>
      same(
        headers["webhook-signature"],
        `v1,${hmac(standardKey(secret), "base64", `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.`, body)}`,
      ),
  },
];

const standardKey = (secret: string): Buffer =>
  Buffer.from(secret.replace(/^whsec_/, ""), "base64");

function hmac(
  key: string | Buffer,
  encoding: "hex" | "base64",
  ...parts: readonly (string | Buffer)[]
): string {
  const sum = createHmac("sha256", key);
  for (const part of parts) sum.update(part);
  return sum.digest(encoding);
}

function same(given: string | string[] | undefined, expected: string): boolean {
  const [a, b] = [Buffer.from(String(given)), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
