import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createTargetFormatter,
  redactHeader,
  redactUrl,
  REDACTED,
} from "./redact.ts";
import { createNameJudge, looksSensitive } from "./sensitive-names.ts";

const judge = createNameJudge({ redact: [], keep: [] });

describe("names that tell of a secret", () => {
  it.each([
    "Authorization",
    "authorisation",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "Api-Key",
    "apikey",
    "Ocp-Apim-Subscription-Key",
    "X-Auth-Token",
    "X-Amz-Security-Token",
    "X-Amz-Credential",
    "X-CSRF-Token",
    "Private-Token",
    "Cf-Access-Jwt-Assertion",
    "X-Session-Id",
    "DPoP",
    "Sec-WebSocket-Protocol",
    // Webhooks: GitHub, Stripe, Shopify, Slack, Twilio, Standard Webhooks.
    "X-Hub-Signature-256",
    "Stripe-Signature",
    "X-Shopify-Hmac-Sha256",
    "X-Slack-Signature",
    "X-Twilio-Signature",
    "webhook-signature",
    // Query parameters.
    "token",
    "access_token",
    "accessToken",
    "client_secret",
    "clientSecret",
    "user[password]",
    "passwd",
    "code",
    "state",
    "sig",
    "X-Goog-Signature",
    "signingKey",
    "auth",
    "otp",
    "x".repeat(201),
  ])("%s", (name) => {
    expect(looksSensitive(name)).toBe(true);
  });
});

describe("names that do not", () => {
  it.each([
    "Host",
    "User-Agent",
    "Accept-Encoding",
    "Content-Type",
    "Origin",
    "X-Forwarded-For",
    "Sec-WebSocket-Key",
    "Idempotency-Key",
    "Signature-Input",
    "Access-Control-Request-Headers",
    "traceparent",
    "tracestate",
    "page",
    "zipcode",
    "monkey",
    "keyboard",
    "design",
    "author",
    "q",
  ])("%s", (name) => {
    expect(looksSensitive(name)).toBe(false);
  });
});

it("lets the operator redact more names and keep others, whatever their case", () => {
  const own = createNameJudge({
    redact: ["x-tenant"],
    keep: ["state", "cookie"],
  });
  expect(own("X-Tenant")).toBe(true);
  expect(own("STATE")).toBe(false);
  expect(own("Cookie")).toBe(false);
  expect(own("Authorization")).toBe(true);
});

it("judges the same name alike for ever, however many strangers invent", () => {
  for (let i = 0; i < 10_000; i++) judge(`x-invented-${i}`);
  expect(judge("Cookie")).toBe(true);
  expect(judge("Host")).toBe(false);
});

describe("URLs", () => {
  it.each([
    ["/", "/"],
    ["/a?page=2&q=shoes", "/a?page=2&q=shoes"],
    ["/a?token=abc", "/a?token=[redacted]"],
    ["/a?page=2&access_token=abc&x=1", "/a?page=2&access_token=[redacted]&x=1"],
    ["/a?x=1;sig=abc;y=2", "/a?x=1;sig=[redacted];y=2"],
    ["/a?token=", "/a?token="],
    ["/a?token", "/a?token"],
    ["/a?%74oken=abc", "/a?%74oken=[redacted]"],
    ["/a?TOKEN=abc", "/a?TOKEN=[redacted]"],
    ["/a?token=a=b=c", "/a?token=[redacted]"],
    ["/a?x=token=abc", "/a?x=[redacted]"],
    ["/a?user%5Bpassword%5D=abc", "/a?user%5Bpassword%5D=[redacted]"],
    ["/a#access_token=abc", "/a#access_token=[redacted]"],
    ["/a;jsessionid=ABC", "/a;jsessionid=[redacted]"],
    ["/a?next=/cb?code=abc", "/a?next=[redacted]"],
    ["/a?next=%2Fcb%3Fcode%3Dabc", "/a?next=[redacted]"],
    ["/a?next=%252Fcb%253Fcode%253Dabc", "/a?next=[redacted]"],
    ["/a?next=%2Fcb%3Fpage%3D2", "/a?next=%2Fcb%3Fpage%3D2"],
    ["/a?broken=%E0%A4%A&key=abc", "/a?broken=%E0%A4%A&key=[redacted]"],
    ["http://user:pass@host/a?b=c", "http://[redacted]@host/a?b=c"],
    ["//user:pass@host/", "//user:pass@host/"],
    ["*", "*"],
  ])("%s becomes %s", (url, shown) => {
    expect(redactUrl(url, judge)).toBe(shown);
  });

  it("never show a secret, wherever it stands among other parameters and however it is packed", () => {
    const secret = "S3CR3T";
    const other = fc.tuple(
      fc.constantFrom("a", "page", "q", "next"),
      fc.string({ maxLength: 8 }).map(encodeURIComponent),
    );
    const packed = fc.nat({ max: 3 }).map((depth) => {
      let value = `https://x.example/cb?token=${secret}`;
      for (let i = 0; i < depth; i++) value = encodeURIComponent(value);
      return ["next", value] as [string, string];
    });
    const telling = fc
      .constantFrom("code", "api_key", "X-Amz-Signature")
      .map((key) => [key, secret] as [string, string]);
    fc.assert(
      fc.property(
        fc.array(other, { maxLength: 4 }),
        fc.oneof(packed, telling),
        fc.array(other, { maxLength: 4 }),
        fc.constantFrom("&", ";"),
        (before, pair, after, separator) => {
          const query = [...before, pair, ...after]
            .map(([key, value]) => `${key}=${value}`)
            .join(separator);
          expect(redactUrl(`/path?${query}`, judge)).not.toContain(secret);
        },
      ),
    );
  });

  it("take no longer for a text made to be slow", () => {
    const started = performance.now();
    for (const text of [
      "?".repeat(50_000),
      `?${"a=".repeat(25_000)}`,
      "%25".repeat(20_000),
      `x://${"@".repeat(50_000)}`,
    ])
      redactUrl(text, judge);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe("headers", () => {
  it("lose their values when the name tells", () => {
    expect(redactHeader("AUTHORIZATION", "Bearer abc", judge)).toBe(REDACTED);
    expect(redactHeader("User-Agent", "curl/8", judge)).toBe("curl/8");
  });

  it("with a URL as value lose its secrets only", () => {
    expect(
      redactHeader("Referer", "https://a.example/?code=1&page=2", judge),
    ).toBe("https://a.example/?code=[redacted]&page=2");
    expect(redactHeader("X-Original-URL", "/?key=1", judge)).toBe(
      "/?key=[redacted]",
    );
  });
});

it("makes a target fit for a terminal: redacted, cut and escaped", () => {
  const format = createTargetFormatter(judge);
  expect(format("/a\u001b[2J\u009b?token=x\u202e")).toBe(
    "/a\\u001b[2J\\u009b?token=[redacted]",
  );
  expect(format(`/${"a".repeat(5_000)}`)).toHaveLength(900 + "…(+4101)".length);
  expect(format(`/${"a".repeat(880)}?token=SECRETSECRETSECRET`)).not.toContain(
    "SECRET",
  );
});

it("shows a target's bytes above 127 as the text that they are, or else one by one", () => {
  const format = createTargetFormatter(judge);
  const sent = (text: string): string => Buffer.from(text).toString("latin1");
  expect(format(sent("/ü/日本?token=é&a=é"))).toBe(
    "/ü/日本?token=[redacted]&a=é",
  );
  expect(format("/\xff\x9b[2J")).toBe("/ÿ\\u009b[2J");
  // The mark that turns the direction of writing, and an invisible one.
  expect(format(sent("/\u202e\u200b"))).toBe("/\\u202e\\u200b");
  expect(format(sent(`/${"日".repeat(2_000)}`))).toBe(
    `/${"日".repeat(899)}…(+1101)`,
  );
});
