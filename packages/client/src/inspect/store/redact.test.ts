// What does not reach the disk, and what has to.
import type { Exchange } from "@expose/protocol";
import { expect, test } from "vitest";
import { makeRow } from "./disk/testing/make-row.ts";
import { isSecretHeader, redact, redactQuery } from "./redact.ts";

test.each([
  ...["Authorization", "COOKIE", "Set-Cookie", "Proxy-Authorization"],
  ...["X-Api-Key", "Api-Key", "X-Auth-Token", "X-Access-Token", "X-Secret"],
  ...["X-Vault-Token", "Private-Token", "X-CSRF-Token", "X-Session-Id"],
  ...["X-Amz-Security-Token", "X-Gitlab-Token", "X-Password"],
])("the value of %s is a secret", (name) => {
  expect(isSecretHeader(name)).toBe(true);
});

test.each([
  ...["Stripe-Signature", "X-Hub-Signature-256", "X-Slack-Signature"],
  ...["X-Shopify-Hmac-Sha256", "webhook-signature", "svix-signature"],
  ...["X-Twilio-Signature", "X-Slack-Request-Timestamp", "webhook-id"],
  ...["Content-Type", "Host", "WWW-Authenticate", "Sec-WebSocket-Key"],
  ...["X-Request-Id", "Keep-Alive", "Author", "X-Monkey", "Tokenizer"],
])("the value of %s is none", (name) => {
  expect(isSecretHeader(name)).toBe(false);
});

test.each([
  ["/a", "/a"],
  ["/a?b=c&token=x&d", "/a?b=c&token=[redacted]&d"],
  ["/cb?code=1&state=2", "/cb?code=[redacted]&state=2"],
  [
    "/?API_KEY=1;sig=2#token=3",
    "/?API_KEY=[redacted];sig=[redacted]#token=[redacted]",
  ],
  ["/?%74oken=x", "/?%74oken=[redacted]"],
  ["/?%zz=x&tokens=1", "/?%zz=x&tokens=1"],
  ["https://a/b?password=", "https://a/b?password=[redacted]"],
])("of %s the values of secret parameters go", (target, clean) => {
  expect(redactQuery(target)).toBe(clean);
});

test("a copy names what it lacks, and the original keeps it", () => {
  const { exchange } = makeRow();
  const headers = [
    ["Authorization", "Bearer abc"],
    ["Referer", "https://a/?token=x"],
    ["Stripe-Signature", "t=1,v1=2"],
    ["X-Token", ""],
  ] as const;
  const original: Exchange = {
    ...exchange,
    target: "/?key=1",
    request: { ...exchange.request!, target: "/?key=1", headers },
    response: {
      ...{ status: 200, reason: "OK", version: "1.1" },
      headers: [["set-cookie", "a=b"]],
      trailers: [["X-Secret", "s"]],
      body: { bytes: 0, keptBytes: 0, framing: "none" },
      informational: [{ status: 103, headers: [["Set-Cookie", "c=d"]] }],
    },
  };
  const before = structuredClone(original);
  const clean = redact(original);
  expect(original).toEqual(before);
  expect(clean.redacted).toEqual([
    ":path",
    "authorization",
    "referer",
    "set-cookie",
    "x-secret",
  ]);
  expect(clean.target).toBe("/?key=[redacted]");
  expect(clean.request).toMatchObject({
    target: "/?key=[redacted]",
    headers: [
      ["Authorization", "[redacted]"],
      ["Referer", "https://a/?token=[redacted]"],
      ["Stripe-Signature", "t=1,v1=2"],
      ["X-Token", ""],
    ],
  });
  expect(JSON.stringify(clean)).not.toMatch(/Bearer|a=b|c=d/);
});
