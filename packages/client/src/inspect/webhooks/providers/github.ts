// GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
import { createHmac } from "node:crypto";
import type { WebhookProvider } from "../provider.ts";
import { explainDigest, readHex } from "../read-signature.ts";

export const github: WebhookProvider = {
  name: "github",
  title: "GitHub",
  marks: ["x-github-event", "x-hub-signature-256"],
  algorithm: "sha256",
  describe(request) {
    const name = request.header("x-github-event");
    const action = request.text("action");
    return {
      event:
        name !== undefined && action !== undefined ? `${name}.${action}` : name,
      object: request.text("repository", "full_name"),
    };
  },
  readClaim(request) {
    const value = request.header("x-hub-signature-256");
    if (value === undefined)
      return {
        fault: "signature-missing",
        reason: request.header("x-hub-signature")
          ? "There is only the old X-Hub-Signature with SHA-1, and no X-Hub-Signature-256."
          : "There is no X-Hub-Signature-256. Set a secret in the webhook's settings.",
      };
    const digest = value.replace(/^sha256=/, "");
    const signature = digest === value ? undefined : readHex(digest, "sha256");
    return signature
      ? { signatures: [signature] }
      : {
          fault: "signature-malformed",
          reason: `X-Hub-Signature-256 is not sha256= and 64 hex digits${explainDigest(digest)}.`,
        };
  },
  contents: (_request, body) => [{ pieces: [body] }],
  readKey: (secret) => Buffer.from(secret),
  doubtSecret: (secret) =>
    /^(?:gh[pousr]|github_pat)_/.test(secret)
      ? "is an access token; the webhook's own secret is meant"
      : undefined,
  sign(request, secret) {
    const digest = (algorithm: string): string =>
      createHmac(algorithm, secret).update(request.body).digest("hex");
    const line = ["X-Hub-Signature-256", `sha256=${digest("sha256")}`] as const;
    return request.header("x-hub-signature") === undefined
      ? [line]
      : [line, ["X-Hub-Signature", `sha1=${digest("sha1")}`]];
  },
};
