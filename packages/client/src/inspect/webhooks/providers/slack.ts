// Slack: https://docs.slack.dev/authentication/verifying-requests-from-slack (v0:timestamp:body)
import { createHmac } from "node:crypto";
import type { WebhookProvider } from "../provider.ts";
import { explainDigest, readHex, readTimestamp } from "../read-signature.ts";

const TOLERANCE_S = 5 * 60;

export const slack: WebhookProvider = {
  name: "slack",
  title: "Slack",
  marks: ["x-slack-signature", "x-slack-request-timestamp"],
  algorithm: "sha256",
  toleranceS: TOLERANCE_S,
  describe: (request) => ({
    event:
      request.text("event", "type") ??
      request.text("type") ??
      request.field("command"),
    object:
      request.text("event_id") ??
      request.text("callback_id") ??
      request.field("trigger_id"),
  }),
  readClaim(request) {
    const value = request.header("x-slack-signature");
    if (value === undefined)
      return {
        fault: "signature-missing",
        reason: "There is no X-Slack-Signature.",
      };
    const timestampText = request.header("x-slack-request-timestamp");
    const timestamp = readTimestamp(timestampText);
    if (timestamp === undefined)
      return {
        fault: "timestamp-missing",
        reason: "There is no X-Slack-Request-Timestamp with a time in seconds.",
      };
    const digest = value.replace(/^v0=/, "");
    const signature = digest === value ? undefined : readHex(digest, "sha256");
    return signature
      ? { signatures: [signature], timestamp, timestampText: timestampText! }
      : {
          fault: "signature-malformed",
          reason: `X-Slack-Signature is not v0= and 64 hex digits${explainDigest(digest)}.`,
        };
  },
  contents: (_request, body, { timestampText = "" }) => [
    { pieces: ["v0:", timestampText, ":", body] },
  ],
  readKey: (secret) => Buffer.from(secret),
  doubtSecret: (secret) =>
    /^xox[a-z]-|^xapp-/.test(secret)
      ? "is a token; the app's signing secret is meant"
      : undefined,
  sign(request, secret, nowMs) {
    const time = String(Math.floor(nowMs / 1_000));
    const digest = createHmac("sha256", secret)
      .update(`v0:${time}:`)
      .update(request.body)
      .digest("hex");
    return [
      ["X-Slack-Request-Timestamp", time],
      ["X-Slack-Signature", `v0=${digest}`],
    ];
  },
};
