// Stripe: https://docs.stripe.com/webhooks/signature (Stripe-Signature: t=…,v1=…, several v1 while a secret is rolled)
import { createHmac } from "node:crypto";
import type { WebhookProvider } from "../provider.ts";
import { readHex, readTimestamp } from "../read-signature.ts";

const TOLERANCE_S = 5 * 60;

export const stripe: WebhookProvider = {
  name: "stripe",
  title: "Stripe",
  marks: ["stripe-signature"],
  algorithm: "sha256",
  toleranceS: TOLERANCE_S,
  describe: (request) => ({
    event: request.text("type"),
    object:
      request.text("data", "object", "id") ??
      request.text("related_object", "id") ??
      request.text("id"),
  }),
  readClaim(request) {
    const value = request.header("stripe-signature") ?? "";
    const pairs = value.split(",", 50).map((pair) => pair.trim().split("=", 2));
    const of = (key: string): string[] =>
      pairs.filter(([name]) => name === key).map(([, text = ""]) => text);
    const [timestampText] = of("t");
    const timestamp = readTimestamp(timestampText);
    if (timestamp === undefined)
      return {
        fault:
          timestampText === undefined
            ? "timestamp-missing"
            : "signature-malformed",
        reason: "Stripe-Signature has no t= with a time in seconds.",
      };
    const signatures = of("v1")
      .map((text) => readHex(text, "sha256"))
      .filter((signature) => signature !== undefined);
    if (signatures.length === 0)
      return {
        fault:
          of("v1").length > 0 ? "signature-malformed" : "signature-missing",
        reason: "Stripe-Signature has no v1= with 64 hex digits.",
      };
    return { signatures, timestamp, timestampText: timestampText! };
  },
  contents: (_request, body, { timestampText = "" }) => [
    { pieces: [timestampText, ".", body] },
  ],
  // As it is written, whsec_ included: it is not decoded.
  readKey: (secret) => Buffer.from(secret),
  doubtSecret: (secret) =>
    /^[spr]k_(?:test|live)_/.test(secret)
      ? "is an API key; the endpoint's signing secret is meant, which begins with whsec_"
      : secret.startsWith("whsec_")
        ? undefined
        : "does not begin with whsec_",
  sign(request, secret, nowMs) {
    const time = String(Math.floor(nowMs / 1_000));
    const digest = createHmac("sha256", secret)
      .update(`${time}.`)
      .update(request.body)
      .digest("hex");
    return [["Stripe-Signature", `t=${time},v1=${digest}`]];
  },
};
