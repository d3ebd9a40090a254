// Standard Webhooks 1.0.0 and svix, which it comes from: https://github.com/standard-webhooks/standard-webhooks
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import type { SignatureClaim, WebhookProvider } from "../provider.ts";
import { readBase64, readTimestamp } from "../read-signature.ts";
import type { WebhookRequest } from "../webhook-request.ts";

const TOLERANCE_S = 5 * 60;
const PREFIXES = ["webhook", "svix"] as const;

export const standard: WebhookProvider = {
  name: "standard",
  title: "Standard Webhooks",
  marks: ["webhook-signature", "svix-signature", "webhook-id", "svix-id"],
  algorithm: "sha256",
  toleranceS: TOLERANCE_S,
  describe: (request) => ({
    event:
      request.text("type") ??
      request.text("event_type") ??
      request.text("eventType") ??
      request.text("event"),
    object: idOf(request),
  }),
  readClaim(request) {
    const value = header(request, "signature");
    if (value === undefined)
      return {
        fault: "signature-missing",
        reason: "There is no webhook-signature.",
      };
    const timestampText = header(request, "timestamp");
    const timestamp = readTimestamp(timestampText);
    if (timestamp === undefined)
      return {
        fault: "timestamp-missing",
        reason: "There is no webhook-timestamp with a time in seconds.",
      };
    if (idOf(request) === undefined)
      return {
        fault: "signature-malformed",
        reason: "There is no webhook-id, which is signed too.",
      };
    const entries = value.split(" ", 50).map((entry) => entry.split(",", 2));
    const claim: SignatureClaim = {
      signatures: entries
        .filter(([version]) => version === "v1")
        .map(([, text = ""]) => readBase64(text, "sha256"))
        .filter((signature) => signature !== undefined),
      // An Ed25519 signature is as long as a SHA-512 digest.
      publicSignatures: entries
        .filter(([version]) => version === "v1a")
        .map(([, text = ""]) => readBase64(text, "sha512"))
        .filter((signature) => signature !== undefined),
      timestamp,
      timestampText: timestampText!,
    };
    return claim.signatures.length > 0 || claim.publicSignatures!.length > 0
      ? claim
      : {
          fault: "signature-malformed",
          reason:
            "webhook-signature has no v1, with the base64 of 32 bytes, and no v1a, with that of 64.",
        };
  },
  contents: (request, body, { timestampText = "" }) => [
    { pieces: [idOf(request) ?? "", ".", timestampText, ".", body] },
  ],
  readKey: (secret) =>
    /^(?:whsec_)?[A-Za-z0-9+/]+={0,2}$/.test(secret)
      ? Buffer.from(secret.replace(/^whsec_/, ""), "base64")
      : undefined,
  doubtSecret: (secret) =>
    secret.startsWith("whpk_")
      ? "is a public key, which checks v1a signatures only and signs nothing"
      : /^(?:whsec_|whsk_)?[A-Za-z0-9+/]+={0,2}$/.test(secret)
        ? undefined
        : "is not whsec_ and base64",
  verifyPublic({ publicSignatures = [] }, { pieces }, secret) {
    const key = readPublicKey(secret);
    if (!key || publicSignatures.length === 0) return false;
    const content = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
    return publicSignatures.some((signature) =>
      verify(null, content, key, signature),
    );
  },
  sign(request, secret, nowMs) {
    const svix = request.header("svix-signature") ?? request.header("svix-id");
    const prefix = svix === undefined ? "webhook" : "svix";
    const id = idOf(request) ?? `msg_${randomBytes(12).toString("hex")}`;
    const time = String(Math.floor(nowMs / 1_000));
    const signature = signContent(
      secret,
      Buffer.concat([Buffer.from(`${id}.${time}.`), request.body]),
    );
    return signature === undefined
      ? undefined
      : [
          [`${prefix}-id`, id],
          [`${prefix}-timestamp`, time],
          [`${prefix}-signature`, signature],
        ];
  },
};

function signContent(secret: string, content: Buffer): string | undefined {
  const seed = readSeed(secret);
  if (seed)
    return `v1a,${sign(null, content, toPrivateKey(seed)).toString("base64")}`;
  const key = standard.readKey(secret);
  return (
    key && `v1,${createHmac("sha256", key).update(content).digest("base64")}`
  );
}

const header = (
  request: WebhookRequest,
  name: "id" | "timestamp" | "signature",
): string | undefined =>
  PREFIXES.map((prefix) => request.header(`${prefix}-${name}`)).find(
    (value) => value !== undefined,
  );

const idOf = (request: WebhookRequest): string | undefined =>
  header(request, "id");

// RFC 8410: what precedes the 32 bytes of an Ed25519 key in DER.
const PUBLIC_DER = Buffer.from("302a300506032b6570032100", "hex");
const PRIVATE_DER = Buffer.from("302e020100300506032b657004220420", "hex");
const KEY_BYTES = 32;

const toPrivateKey = (seed: Buffer): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([PRIVATE_DER, seed]),
    format: "der",
    type: "pkcs8",
  });

// A secret key is its seed, with or without the public key behind.
function readSeed(secret: string): Buffer | undefined {
  const bytes = readPrefixed(secret, "whsk_");
  return bytes?.length === KEY_BYTES || bytes?.length === 2 * KEY_BYTES
    ? bytes.subarray(0, KEY_BYTES)
    : undefined;
}

function readPublicKey(secret: string): KeyObject | undefined {
  const seed = readSeed(secret);
  if (seed) return createPublicKey(toPrivateKey(seed));
  const bytes = readPrefixed(secret, "whpk_");
  if (bytes?.length !== KEY_BYTES) return undefined;
  return createPublicKey({
    key: Buffer.concat([PUBLIC_DER, bytes]),
    format: "der",
    type: "spki",
  });
}

const readPrefixed = (secret: string, prefix: string): Buffer | undefined =>
  secret.startsWith(prefix)
    ? Buffer.from(secret.slice(prefix.length), "base64")
    : undefined;
