// Twilio: https://www.twilio.com/docs/usage/security#validating-requests (the URL, and the form's fields or the body's hash)
import { createHash, createHmac } from "node:crypto";
import type { SignedContent, WebhookProvider } from "../provider.ts";
import { explainDigest, readBase64 } from "../read-signature.ts";
import type { WebhookRequest } from "../webhook-request.ts";

export const twilio: WebhookProvider = {
  name: "twilio",
  title: "Twilio",
  marks: ["x-twilio-signature"],
  algorithm: "sha1",
  describe: (request) => ({
    event: nameEvent(request),
    object:
      request.field("MessageSid") ??
      request.field("CallSid") ??
      request.field("Sid"),
  }),
  readClaim(request) {
    const value = request.header("x-twilio-signature") ?? "";
    const signature = readBase64(value, "sha1");
    return signature
      ? { signatures: [signature] }
      : {
          fault: "signature-malformed",
          reason: `X-Twilio-Signature is not the base64 of 20 bytes${explainDigest(value)}.`,
        };
  },
  contents(request, body) {
    const { url } = request;
    const right = [url, ...withOtherPort(url)];
    const wrong = [
      { url: url.replace(/^https:/, "http:"), told: "the URL with http:" },
      { url: url.replace(/\?.*$/s, ""), told: "the URL without its query" },
      { url: addSlash(url), told: "the URL with a slash behind its host" },
    ].filter((other) => !right.includes(other.url));
    const signed = (at: string, told?: string): SignedContent => ({
      pieces: [at, ...listFields(request, body)],
      ...(told !== undefined && { told }),
    });
    return [
      ...right.map((at) => signed(at, explainHash(request, body))),
      ...wrong.map(({ url: at, told }) => signed(at, told)),
    ];
  },
  readKey: (secret) => Buffer.from(secret),
  doubtSecret: (secret) =>
    /^(?:AC|SK)[0-9a-f]{32}$/.test(secret)
      ? "is a SID; the account's auth token is meant"
      : undefined,
  sign: (request, secret) => [
    [
      "X-Twilio-Signature",
      createHmac("sha1", secret)
        .update([request.url, ...listFields(request, request.body)].join(""))
        .digest("base64"),
    ],
  ],
};

function nameEvent(request: WebhookRequest): string | undefined {
  for (const name of ["MessageStatus", "SmsStatus", "CallStatus"]) {
    const status = request.field(name);
    if (status !== undefined)
      return `${name === "CallStatus" ? "call" : "message"}.${status}`;
  }
  return request.text("type") ?? request.text("EventType");
}

// With bodySHA256 in the query the body is signed by way of the URL.
const hashOf = (url: string): string | undefined =>
  /[?&]bodySHA256=([^&#]*)/.exec(url)?.[1];

function explainHash(
  { url }: WebhookRequest,
  body: Buffer,
): string | undefined {
  const hash = hashOf(url);
  if (hash === undefined) return undefined;
  const actual = createHash("sha256").update(body).digest("hex");
  return hash.toLowerCase() === actual
    ? undefined
    : "the URL, whose bodySHA256 is not that of the body";
}

const MAX_FIELDS_BYTES = 256 * 1024;

// Sorted by name, each name right before its value; the values of one name sorted, and each of them once.
function listFields(request: WebhookRequest, body: Buffer): string[] {
  const type = request.header("content-type")?.toLowerCase() ?? "";
  if (
    hashOf(request.url) !== undefined ||
    !type.startsWith("application/x-www-form-urlencoded") ||
    body.length > MAX_FIELDS_BYTES
  )
    return [];
  const values = new Map<string, Set<string>>();
  for (const [name, value] of new URLSearchParams(body.toString()))
    values.set(name, (values.get(name) ?? new Set()).add(value));
  return [...values.keys()]
    .sort()
    .flatMap((name) =>
      [...values.get(name)!].sort().flatMap((value) => [name, value]),
    );
}

// Twilio signs the URL with or without the standard port, and its libraries try both.
function withOtherPort(url: string): string[] {
  const [, scheme, host, rest = ""] =
    /^(https?):\/\/([^/?#]+)(.*)$/s.exec(url) ?? [];
  if (scheme === undefined || host === undefined) return [];
  const port = scheme === "https" ? ":443" : ":80";
  return [
    host.endsWith(port)
      ? `${scheme}://${host.slice(0, -port.length)}${rest}`
      : `${scheme}://${host}${/:\d+$/.test(host) ? "" : port}${rest}`,
  ].filter((other) => other !== url);
}

const addSlash = (url: string): string =>
  url.replace(/^(https?:\/\/[^/?#]+)(?=$|[?#])/, "$1/");
