import { createHmac, generateKeyPairSync } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { HeaderLine, WebhookFacts } from "@expose/protocol";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createWebhooks, type WebhooksSettings } from "./create-webhooks.ts";
import { providers } from "./providers/list.ts";
import { secretVariable } from "./secrets.ts";
import { sketchStored, type ExchangeSketch } from "../use-stored.ts";

function sketchExchange(sketch: ExchangeSketch) {
  const { exchange, bodies } = sketchStored(sketch);
  return { exchange, body: bodies.request };
}

/** Explains a request with the secret of one provider. */
function explain(
  provider: string,
  secret: string,
  sketch: ExchangeSketch,
  settings: WebhooksSettings = {},
): WebhookFacts | undefined {
  const { exchange, body } = sketchExchange(sketch);
  const webhooks = createWebhooks({
    env: { [secretVariable(provider)]: secret },
    settings,
  });
  const facts = webhooks.explain(exchange, () => body);
  // 12345, of the vectors, is part of many other things.
  if (secret.length > 5) expect(JSON.stringify(facts)).not.toContain(secret);
  return facts;
}

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

describe("vectors of the providers' own documents", () => {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
  test("GitHub", () => {
    expect(
      explain("github", "It's a Secret to Everybody", {
        headers: {
          "X-GitHub-Event": "ping",
          "X-Hub-Signature-256":
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        },
        body: "Hello, World!",
      }),
    ).toEqual({ provider: "github", event: "ping", verdict: "verified" });
  });

  // https://api.slack.com/authentication/verifying-requests-from-slack (the worked example)
  const slackBody =
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
  const slack: ExchangeSketch = {
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      "X-Slack-Request-Timestamp": "1531420618",
      "X-Slack-Signature":
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    },
    body: slackBody,
    startedAt: 1_531_420_620_000,
  };
  test("Slack", () => {
    expect(explain("slack", "8f742231b10e8888abcd99yyyzzz85a5", slack)).toEqual(
      {
        provider: "slack",
        event: "/webhook-collect",
        object: "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        verdict: "verified",
      },
    );
  });

  // https://www.twilio.com/docs/usage/security#explore-the-algorithm-yourself
  test("Twilio, form", () => {
    expect(
      explain("twilio", "12345", {
        url: "https://mycompany.com/myapp.php?foo=1&bar=2",
        headers: {
          "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
          "X-Twilio-Signature": "0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
        },
        body: "To=%2B18005551212&CallSid=CA1234567890ABCDE&Digits=1234&From=%2B12349013030&Caller=%2B12349013030",
      }),
    ).toMatchObject({ object: "CA1234567890ABCDE", verdict: "verified" });
  });

  // github.com/twilio/twilio-node, spec/validation.spec.js, and the same in its other libraries
  test("Twilio, JSON with the body's hash in the URL", () => {
    const signed: ExchangeSketch = {
      url: "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
      headers: {
        "Content-Type": "application/json",
        "X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4=",
      },
      body: '{"property": "value", "boolean": true}',
    };
    expect(explain("twilio", "12345", signed)?.verdict).toBe("verified");
    expect(
      explain("twilio", "12345", { ...signed, body: '{"property":"value"}' }),
    ).toMatchObject({ verdict: "failed", code: "body-changed" });
  });

  // github.com/stripe/stripe-node, test/crypto/helpers.ts: the HMAC that its webhooks are checked with
  test("Stripe's HMAC", () => {
    expect(
      hmac("test_secret", '{"obj1":"hello","obj2":"world"}').toString("hex"),
    ).toBe("bebb1a643997f419b315ddba19e6f5411e1ce7f810ba6d3617ce72823092f363");
  });

  // github.com/svix/svix-webhooks, README.md, and https://docs.svix.com/receiving/verifying-payloads/how
  test.each(["svix", "webhook"])(
    "Standard Webhooks with %s- headers",
    (prefix) => {
      expect(
        explain("standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", {
          headers: {
            [`${prefix}-id`]: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            [`${prefix}-timestamp`]: "1614265330",
            [`${prefix}-signature`]:
              "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
          },
          body: '{"test": 2432232314}',
          startedAt: 1_614_265_331_000,
        }),
      ).toEqual({
        provider: "standard",
        object: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        verdict: "verified",
      });
    },
  );

  // https://docs.svix.com/receiving/verifying-payloads/how-manual
  test("svix, verified by hand", () => {
    expect(
      explain("standard", "whsec_plJ3nmyCDGBKInavdOK15jsl", {
        headers: {
          "svix-id": "msg_loFOjxBNrRLzqYUf",
          "svix-timestamp": "1731705121",
          "svix-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        },
        body: '{"event_type":"ping","data":{"success":true}}',
        startedAt: 1_731_705_121_000,
      }),
    ).toMatchObject({ event: "ping", verdict: "verified" });
  });
});

const stripeBody =
  '{\n  "id": "evt_1",\n  "type": "checkout.session.completed",\n  "data": {"object": {"id": "cs_test_9"}}\n}';
const STRIPE = "whsec_5e1f8a0c";

function signStripe(body: string, key = STRIPE, atMs = Date.now()): HeaderLine {
  const time = Math.floor(atMs / 1_000);
  const digest = hmac(key, `${time}.${body}`).toString("hex");
  return ["Stripe-Signature", `t=${time},v1=${digest}`];
}

describe("what a webhook is about", () => {
  test.each([
    [
      "github",
      { "X-GitHub-Event": "pull_request" },
      '{"action":"opened","repository":{"full_name":"octo/hello"}}',
      "pull_request.opened",
      "octo/hello",
    ],
    [
      "github",
      {
        "X-GitHub-Event": "issues",
        "Content-Type": "application/x-www-form-urlencoded",
      },
      `payload=${encodeURIComponent('{"action":"closed"}')}`,
      "issues.closed",
      undefined,
    ],
    [
      "stripe",
      { "Stripe-Signature": "t=1,v1=0" },
      stripeBody,
      "checkout.session.completed",
      "cs_test_9",
    ],
    [
      "slack",
      { "X-Slack-Signature": "v0=0" },
      '{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}',
      "app_mention",
      "Ev1",
    ],
    [
      "shopify",
      { "X-Shopify-Topic": "orders/create" },
      '{"id":820982911946154508}',
      "orders/create",
      undefined,
    ],
    [
      "twilio",
      {
        "X-Twilio-Signature": "x",
        "Content-Type": "application/x-www-form-urlencoded",
      },
      "MessageStatus=delivered&MessageSid=SM1",
      "message.delivered",
      "SM1",
    ],
    [
      "standard",
      { "webhook-id": "msg_1" },
      '{"type":"user.created"}',
      "user.created",
      "msg_1",
    ],
  ])("%s names it: %j", (provider, headers, body, event, object) => {
    const facts = explain("none", "", {
      headers: headers as Record<string, string>,
      body,
    });
    expect(facts).toMatchObject({
      provider,
      event,
      verdict: "unchecked",
      code: "no-secret",
    });
    if (object !== undefined) expect(facts?.object).toBe(object);
    expect(facts?.reason).toContain(secretVariable(provider));
  });

  test("a request that is no webhook is none, and its body is not even asked for", () => {
    const { exchange } = sketchExchange({ headers: { "X-Thing": "1" } });
    const readBody = vi.fn<() => Buffer>(() => Buffer.from("{}"));
    const webhooks = createWebhooks({
      env: { [secretVariable("github")]: "s" },
    });
    expect(webhooks.explain(exchange, readBody)).toBeUndefined();
    expect(readBody).not.toHaveBeenCalled();
  });

  test("names are bounded, whatever the body", () => {
    const facts = explain("none", "", {
      headers: { "Stripe-Signature": "t=1" },
      body: JSON.stringify({ type: "x".repeat(100_000) }),
    });
    expect(facts?.event).toHaveLength(200);
  });
});

describe("why a signature does not hold", () => {
  const failure = (
    body: string,
    headers: readonly HeaderLine[],
    secret = STRIPE,
  ) => explain("stripe", secret, { headers, body });

  test("another secret", () => {
    const facts = failure(stripeBody, [signStripe(stripeBody, "whsec_other")]);
    expect(facts).toMatchObject({ verdict: "failed", code: "secret-wrong" });
    expect(facts?.reason).toContain("Each endpoint has a secret of its own");
  });

  test("an API key in place of the secret", () => {
    const facts = failure(
      stripeBody,
      [signStripe(stripeBody)],
      "sk_test_abc123",
    );
    expect(facts).toMatchObject({ code: "secret-wrong" });
    expect(facts?.reason).toContain("is an API key");
  });

  test.each([
    ["whsec_ was left away", STRIPE.slice(6), "whsec_ in front"],
    ["quotes were copied along", `"${STRIPE}"`, "without the quotes"],
    [
      "base64 that is to be decoded",
      Buffer.from(STRIPE).toString("base64"),
      "decoded from base64",
    ],
    [
      "hex that is to be decoded",
      Buffer.from(STRIPE).toString("hex"),
      "decoded from hex",
    ],
  ])("%s", (_, secret, told) => {
    const facts = failure(stripeBody, [signStripe(stripeBody)], secret);
    expect(facts).toMatchObject({ verdict: "failed", code: "secret-wrong" });
    expect(facts?.reason).toContain(told);
  });

  const value = { type: "é/<b>", n: [1, { a: "x, y: z" }], big: "\u2028" };
  const compact = JSON.stringify(value);
  test.each([
    [
      "JSON.stringify in an app",
      JSON.stringify(JSON.parse(stripeBody)),
      stripeBody.replace(
        '{"object": {"id": "cs_test_9"}}',
        '{\n    "object": {\n      "id": "cs_test_9"\n    }\n  }',
      ),
      "indented by two blanks",
    ],
    ["a line break added", `${compact}\n`, compact, "without the line break"],
    [
      "a line break removed",
      compact,
      `${compact}\n`,
      "with a line break at its end",
    ],
    [
      "line ends changed",
      '{\n"a":1}',
      '{\r\n"a":1}',
      "with CR LF as line ends",
    ],
    [
      "pretty-printing",
      JSON.stringify(value, null, 2),
      compact,
      "as JSON without blanks",
    ],
    [
      "Python's json.dumps undone",
      compact,
      '{"type": "\\u00e9/<b>", "n": [1, {"a": "x, y: z"}], "big": "\\u2028"}',
      "blanks behind commas and colons, with \\u escapes",
    ],
    [
      "PHP's slashes undone",
      compact,
      '{"type":"\\u00e9\\/<b>","n":[1,{"a":"x, y: z"}],"big":"\\u2028"}',
      "with \\u and \\/ escapes",
    ],
    [
      "Go's escapes undone",
      compact,
      '{"type":"é/\\u003cb\\u003e","n":[1,{"a":"x, y: z"}],"big":"\\u2028"}',
      "<, > and & escaped",
    ],
    [
      "encoded in UTF-8 twice",
      Buffer.from(compact).toString("latin1"),
      compact,
      "in UTF-8 once too often",
    ],
    ["a byte order mark", `\ufeff${compact}`, compact, "byte order mark"],
  ])("%s", (_, arrived, signed, told) => {
    const facts = failure(arrived, [signStripe(signed)]);
    expect(facts).toMatchObject({ verdict: "failed", code: "body-changed" });
    expect(facts?.reason).toContain(told);
  });

  test("a form whose blanks were encoded anew", () => {
    const body = "a=%20b&c=d+e";
    const facts = explain("slack", "s3cret", {
      headers: {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": "1000",
        "X-Slack-Signature": `v0=${hmac("s3cret", "v0:1000:a=+b&c=d+e").toString("hex")}`,
      },
      body,
      startedAt: 1_000_000,
    });
    expect(facts).toMatchObject({ code: "body-changed" });
    expect(facts?.reason).toContain("with + for blanks");
  });

  test("a body that was compressed on its way", () => {
    const facts = explain("stripe", STRIPE, {
      headers: [signStripe(stripeBody), ["Content-Encoding", "gzip"]],
      body: gzipSync(stripeBody),
    });
    expect(facts).toMatchObject({ verdict: "failed", code: "body-changed" });
    expect(facts?.reason).toContain("before it was compressed with gzip");
  });

  test.each([
    [-301, "older than the request"],
    [301, "ahead of this machine's clock"],
  ])("a timestamp that is %i seconds off", (offset, told) => {
    const now = 1_700_000_000_000;
    const sketch = {
      headers: [signStripe(stripeBody, STRIPE, now + offset * 1_000)],
      body: stripeBody,
      startedAt: now,
    };
    const facts = explain("stripe", STRIPE, sketch);
    expect(facts).toMatchObject({ verdict: "failed", code: "timestamp-old" });
    expect(facts?.reason).toContain(told);
    expect(facts?.reason).toContain("5 minutes");
    const near = { ...sketch, startedAt: now + Math.sign(offset) * 1_000 };
    expect(explain("stripe", STRIPE, near)?.verdict).toBe("verified");
  });

  test.each([
    ["stripe", { "Stripe-Signature": "v1=00" }, "timestamp-missing"],
    ["stripe", { "Stripe-Signature": "t=soon,v1=00" }, "signature-malformed"],
    ["stripe", { "Stripe-Signature": "t=1,v0=00" }, "signature-missing"],
    ["stripe", { "Stripe-Signature": "t=1,v1=xyz" }, "signature-malformed"],
    ["github", { "X-GitHub-Event": "push" }, "signature-missing"],
    [
      "github",
      { "X-Hub-Signature-256": hmac("k", "").toString("hex") },
      "signature-malformed",
    ],
    [
      "github",
      { "X-Hub-Signature-256": `sha256=${hmac("k", "").toString("base64")}` },
      "signature-malformed",
    ],
    ["slack", { "X-Slack-Signature": "v0=00" }, "timestamp-missing"],
    ["slack", { "X-Slack-Request-Timestamp": "1" }, "signature-missing"],
    [
      "shopify",
      { "X-Shopify-Hmac-Sha256": hmac("k", "").toString("hex") },
      "signature-malformed",
    ],
    ["shopify", { "X-Shopify-Topic": "orders/paid" }, "signature-missing"],
    ["twilio", { "X-Twilio-Signature": "nonsense" }, "signature-malformed"],
    ["standard", { "webhook-id": "msg_1" }, "signature-missing"],
    ["standard", { "webhook-signature": "v1,AA==" }, "timestamp-missing"],
    [
      "standard",
      {
        "webhook-id": "m",
        "webhook-timestamp": "1",
        "webhook-signature": "v2,AA==",
      },
      "signature-malformed",
    ],
  ])("%s with %j: %s", (provider, headers, code) => {
    const facts = explain(provider, "k", {
      headers: headers as unknown as Record<string, string>,
      body: "{}",
    });
    expect(facts).toMatchObject({ provider, verdict: "failed", code });
    expect(facts?.reason).toMatch(/\.$/);
  });

  test("the encoding that was taken for another one is named", () => {
    const facts = explain("shopify", "k", {
      headers: { "X-Shopify-Hmac-Sha256": hmac("k", "").toString("hex") },
    });
    expect(facts?.reason).toContain("looks like SHA-256 in hex");
  });

  test("a body that is not kept whole cannot be judged", () => {
    const { exchange, body } = sketchExchange({
      headers: [signStripe(stripeBody)],
      body: stripeBody,
    });
    const webhooks = createWebhooks({
      env: { EXPOSE_WEBHOOK_SECRET_STRIPE: STRIPE },
    });
    const cut = {
      ...exchange,
      request: {
        ...exchange.request!,
        body: { ...exchange.request!.body, keptBytes: 10 },
      },
    };
    expect(webhooks.explain(cut, () => body.subarray(0, 10))).toMatchObject({
      verdict: "unchecked",
      code: "body-truncated",
    });
  });

  test("Twilio's URL with another scheme or port is told apart from a wrong secret", () => {
    const sign = (url: string) =>
      createHmac("sha1", "12345").update(url).digest("base64");
    const at = (signed: string) =>
      explain("twilio", "12345", {
        url: "https://shop.example.com/voice",
        headers: { "X-Twilio-Signature": sign(signed) },
      });
    expect(at("https://shop.example.com:443/voice")?.verdict).toBe("verified");
    const http = at("http://shop.example.com/voice");
    expect(http).toMatchObject({ code: "body-changed" });
    expect(http?.reason).toContain("http:");
  });
});

describe("several secrets", () => {
  test("each of which may hold, while one is rolled", () => {
    const sketch = { headers: [signStripe(stripeBody)], body: stripeBody };
    for (const secrets of [`whsec_old ${STRIPE}`, `${STRIPE}\nwhsec_new`])
      expect(explain("stripe", secrets, sketch)?.verdict).toBe("verified");
    expect(explain("stripe", "whsec_a whsec_b", sketch)?.reason).toContain(
      "any of the 3 secrets",
    );
  });

  test("and several signatures, one of which may hold", () => {
    const [, good] = signStripe(stripeBody);
    const bad = "0".repeat(64);
    for (const value of [`${good},v1=${bad}`, good.replace(",", `,v1=${bad},`)])
      expect(
        explain("stripe", STRIPE, {
          headers: { "Stripe-Signature": value },
          body: stripeBody,
        })?.verdict,
      ).toBe("verified");
  });
});

describe("asymmetric signatures of Standard Webhooks", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const raw = (key: string | undefined) =>
    Buffer.from(key!, "base64url").toString("base64");
  const secret = `whsk_${raw(privateKey.export({ format: "jwk" }).d)}`;
  const shared = `whpk_${raw(publicKey.export({ format: "jwk" }).x)}`;

  test("are made with the secret key and checked with the public one", () => {
    const { exchange, body } = sketchExchange({ body: '{"type":"a"}' });
    const signer = createWebhooks({
      env: { EXPOSE_WEBHOOK_SECRET_STANDARD: secret },
    });
    const headers = signer.sign("standard", exchange, body);
    expect(headers.find(([name]) => name === "webhook-signature")![1]).toMatch(
      /^v1a,/,
    );
    expect(explain("standard", shared, { headers, body })?.verdict).toBe(
      "verified",
    );
    expect(explain("standard", secret, { headers, body })?.verdict).toBe(
      "verified",
    );
    const changed = explain("standard", shared, { headers, body: "{}" });
    expect(changed?.verdict).toBe("failed");
  });

  test("cannot be made with the public one", () => {
    const { exchange, body } = sketchExchange({ body: "{}" });
    const webhooks = createWebhooks({
      env: { EXPOSE_WEBHOOK_SECRET_STANDARD: shared },
    });
    expect(() => webhooks.sign("standard", exchange, body)).toThrow(
      "Nothing can be signed for Standard Webhooks",
    );
  });
});

describe("a provider of one's own", () => {
  const settings: WebhooksSettings = {
    linear: { header: "Linear-Signature" },
    legacy: {
      header: "X-Sig",
      algorithm: "sha512",
      encoding: "base64",
      prefix: "v=",
      secretEncoding: "hex",
      secretEnv: "MY_SECRET",
    },
  };

  test("is recognised by its header and checked", () => {
    const body = '{"action":"create","type":"Issue"}';
    const headers = { "Linear-Signature": hmac("lin_1", body).toString("hex") };
    expect(explain("linear", "lin_1", { headers, body }, settings)).toEqual({
      provider: "linear",
      event: "Issue",
      verdict: "verified",
    });
    expect(explain("linear", "lin_2", { headers, body }, settings)?.code).toBe(
      "secret-wrong",
    );
  });

  test("has its algorithm, encoding, prefix and secret from the settings", () => {
    const webhooks = createWebhooks({ env: { MY_SECRET: "00ff10" }, settings });
    expect(webhooks.configured).toEqual(["legacy"]);
    const { exchange, body } = sketchExchange({ body: "x" });
    const lines = webhooks.sign("legacy", exchange, body);
    const digest = createHmac("sha512", Buffer.from("00ff10", "hex"))
      .update("x")
      .digest("base64");
    expect(lines).toEqual([["X-Sig", `v=${digest}`]]);
    const signed = sketchExchange({ body: "x", headers: lines });
    expect(webhooks.explain(signed.exchange, () => signed.body)?.verdict).toBe(
      "verified",
    );
  });
});

test("settings of a provider that there is none of are a mistake", () => {
  const settings = { strip: { secretEnv: "X" } };
  expect(() => createWebhooks({ env: {}, settings })).toThrow("is it stripe?");
});

describe("signing anew", () => {
  const secrets: Record<string, string> = {
    github: "hub",
    stripe: STRIPE,
    slack: "sl4ck",
    shopify: "shpss_1",
    twilio: "tw",
    standard: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  };

  test.each(providers.map(({ name }) => name))(
    "%s holds afterwards, with a fresh timestamp",
    (name) => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 200 }),
          fc.webUrl({ withQueryParameters: true, validSchemes: ["https"] }),
          (bytes, url) => {
            const webhooks = createWebhooks({
              env: { [secretVariable(name)]: secrets[name]! },
            });
            const body = Buffer.from(bytes);
            const old = sketchExchange({ url, body });
            const headers = webhooks.sign(name, old.exchange, body);
            const { exchange } = sketchExchange({ url, body, headers });
            expect(webhooks.explain(exchange, () => body)).toMatchObject({
              provider: name,
              verdict: "verified",
            });
          },
        ),
        { numRuns: 50 },
      );
    },
  );

  test("keeps the id and the kind of headers that a message had", () => {
    const webhooks = createWebhooks({
      env: { EXPOSE_WEBHOOK_SECRET_STANDARD: secrets["standard"]! },
      now: () => 5_000,
    });
    const { exchange, body } = sketchExchange({
      headers: { "svix-id": "msg_7", "svix-signature": "v1,x" },
    });
    expect(webhooks.sign("standard", exchange, body).slice(0, 2)).toEqual([
      ["svix-id", "msg_7"],
      ["svix-timestamp", "5"],
    ]);
  });

  test("says what is missing", () => {
    const { exchange, body } = sketchExchange({});
    const webhooks = createWebhooks({
      env: { EXPOSE_WEBHOOK_SECRET_STRIPE: " \n" },
    });
    expect(webhooks.configured).toEqual([]);
    expect(() => webhooks.sign("stripe", exchange, body)).toThrow(
      "EXPOSE_WEBHOOK_SECRET_STRIPE",
    );
    expect(() => webhooks.sign("strip", exchange, body)).toThrow(
      "no provider of webhooks called strip",
    );
  });
});

test("any headers and any body come to some verdict, and no secret shows in it", () => {
  const marks = providers.flatMap((provider) => provider.marks);
  const header = fc.tuple(
    fc.constantFrom(
      ...marks,
      "content-type",
      "svix-timestamp",
      "content-encoding",
    ),
    fc.oneof(
      fc.string({ maxLength: 90 }),
      fc.constantFrom(
        "application/x-www-form-urlencoded",
        "gzip",
        "1700000000",
        `sha256=${"0".repeat(64)}`,
        `t=1,v1=${"0".repeat(64)}`,
        `v1,${"A".repeat(43)}=`,
        `v1a,${"A".repeat(86)}==`,
      ),
    ),
  );
  const env = Object.fromEntries(
    providers.map(({ name }) => [secretVariable(name), "s3cr3t-of-everyone"]),
  );
  const webhooks = createWebhooks({ env });
  fc.assert(
    fc.property(
      fc.array(header, { maxLength: 6 }),
      fc.uint8Array({ maxLength: 100 }),
      (headers, bytes) => {
        const { exchange, body } = sketchExchange({
          headers,
          body: Buffer.from(bytes),
        });
        const facts = webhooks.explain(exchange, () => body);
        expect(facts?.verdict).not.toBe("verified");
        expect(JSON.stringify(facts ?? {})).not.toContain("s3cr3t");
      },
    ),
    { numRuns: 500 },
  );
});

test("a flood of forged webhooks costs a bounded share of the time", () => {
  const body = Buffer.from(
    JSON.stringify({ list: Array(3_500).fill("é some text") }),
  );
  const { exchange } = sketchExchange({ headers: [signStripe("other")], body });
  const webhooks = createWebhooks({
    env: { EXPOSE_WEBHOOK_SECRET_STRIPE: STRIPE },
  });
  const times = Array.from({ length: 100 }, () => {
    const before = performance.now();
    webhooks.explain(exchange, () => body);
    return performance.now() - before;
  });
  // The first ones search for the cause, and the rest of the second must not.
  const rest = times.slice(50).toSorted((a, b) => a - b);
  expect(rest[rest.length >> 1]!).toBeLessThan(times[0]! / 3);
});
