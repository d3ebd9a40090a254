// Shopify: https://shopify.dev/docs/apps/build/webhooks/subscribe/https (base64 of the body's HMAC)
import { createHmac } from "node:crypto";
import type { WebhookProvider } from "../provider.ts";
import { explainDigest, readBase64 } from "../read-signature.ts";

export const shopify: WebhookProvider = {
  name: "shopify",
  title: "Shopify",
  marks: ["x-shopify-hmac-sha256", "x-shopify-topic"],
  algorithm: "sha256",
  describe: (request) => ({
    event: request.header("x-shopify-topic"),
    object:
      request.text("admin_graphql_api_id") ??
      request.text("id") ??
      request.header("x-shopify-shop-domain"),
  }),
  readClaim(request) {
    const value = request.header("x-shopify-hmac-sha256");
    if (value === undefined)
      return {
        fault: "signature-missing",
        reason: "There is no X-Shopify-Hmac-SHA256.",
      };
    const signature = readBase64(value, "sha256");
    return signature
      ? { signatures: [signature] }
      : {
          fault: "signature-malformed",
          reason: `X-Shopify-Hmac-SHA256 is not the base64 of 32 bytes${explainDigest(value)}.`,
        };
  },
  contents: (_request, body) => [{ pieces: [body] }],
  readKey: (secret) => Buffer.from(secret),
  doubtSecret: (secret) =>
    /^shp(?:at|ca|pa|ua)_/.test(secret)
      ? "is an access token; the app's client secret is meant"
      : undefined,
  sign: (request, secret) => [
    [
      "X-Shopify-Hmac-SHA256",
      createHmac("sha256", secret).update(request.body).digest("base64"),
    ],
  ],
};
