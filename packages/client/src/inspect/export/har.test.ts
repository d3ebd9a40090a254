import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sketchStored } from "../use-stored.ts";
import { exportExchange } from "./export-exchange.ts";
import { toHar, type Har } from "./har.ts";

const require = createRequire(import.meta.url);
// The schemas of HAR 1.2, in JSON Schema's draft 6.
const schemas = require("har-schema") as Record<string, { $id: string }>;
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addMetaSchema(
  require("ajv/dist/refs/json-schema-draft-06.json") as Record<string, unknown>,
);
for (const schema of Object.values(schemas)) ajv.addSchema(schema);
const validate = ajv.getSchema(schemas["har"]!.$id)!;

function expectValid(har: Har): void {
  const written: unknown = JSON.parse(JSON.stringify(har));
  void validate(written);
  expect(validate.errors).toBeNull();
}

const first = (har: Har) => har.log.entries[0] as Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- what is looked at is what a reader would find

test("the schema finds mistakes", () => {
  void validate({
    log: { version: "1.2", creator: { name: "x" }, entries: [{}] },
  });
  expect(validate.errors?.length).toBeGreaterThan(3);
});

test("a HAR of nothing is valid", async () => {
  const har = await toHar([]);
  expectValid(har);
  expect(har.log.entries).toEqual([]);
});

test("a request with its response has everything that HAR has a field for", async () => {
  const stored = sketchStored({
    url: "https://shop.example.com/buy?item=1&item=2&q=a+b",
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      Cookie: "sid=abc; theme=dark",
    },
    body: "a=1&b=%C3%A9",
    startedAt: Date.UTC(2026, 0, 31, 12),
    responseHeaders: [
      ["Content-Type", "application/json"],
      ["Content-Encoding", "gzip"],
      [
        "Set-Cookie",
        "id=1; Path=/; Domain=example.com; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; Secure",
      ],
      ["Location", "/next"],
    ],
    responseBody: gzipSync('{"ok":true}'.repeat(50)),
  });
  const har = await toHar([stored]);
  expectValid(har);
  expect(first(har)).toMatchObject({
    startedDateTime: "2026-01-31T12:00:00.000Z",
    time: 12.5,
    request: {
      method: "POST",
      url: "https://shop.example.com/buy?item=1&item=2&q=a+b",
      httpVersion: "HTTP/1.1",
      cookies: [
        { name: "sid", value: "abc" },
        { name: "theme", value: "dark" },
      ],
      queryString: [
        { name: "item", value: "1" },
        { name: "item", value: "2" },
        { name: "q", value: "a b" },
      ],
      postData: {
        mimeType: "application/x-www-form-urlencoded",
        text: "a=1&b=%C3%A9",
        params: [
          { name: "a", value: "1" },
          { name: "b", value: "é" },
        ],
      },
      bodySize: 12,
    },
    response: {
      status: 200,
      redirectURL: "/next",
      cookies: [
        {
          name: "id",
          value: "1",
          path: "/",
          domain: "example.com",
          expires: "2026-10-21T07:28:00.000Z",
          httpOnly: true,
          secure: true,
        },
      ],
      content: {
        size: 550,
        mimeType: "application/json",
        text: '{"ok":true}'.repeat(50),
      },
      bodySize: stored.bodies.response.length,
    },
    timings: { send: 1, wait: 9, receive: 2.5 },
  });
  const { size, compression } = first(har)["response"].content;
  expect(size - compression).toBe(stored.bodies.response.length);
});

test("bytes that are no text are in base64", async () => {
  const bytes = Buffer.from([0, 255, 128]);
  const har = await toHar([
    sketchStored({
      body: bytes,
      responseHeaders: [["Content-Type", "image/png"]],
      responseBody: bytes,
    }),
  ]);
  expectValid(har);
  expect(first(har)["response"].content).toMatchObject({
    text: "AP+A",
    encoding: "base64",
  });
  expect(first(har)["request"].postData).toMatchObject({
    text: "AP+A",
    _encoding: "base64",
  });
});

test("WebSocket messages are written as Chromium writes them", async () => {
  const har = await toHar([
    sketchStored({
      method: "GET",
      startedAt: 1_000_000,
      status: 101,
      over: { kind: "websocket", messages: 4 },
      messages: [
        {
          index: 0,
          direction: "in",
          atMs: 500,
          type: "text",
          bytes: 2,
          keptBytes: 2,
          data: "hé",
          encoding: "utf8",
        },
        {
          index: 1,
          direction: "out",
          atMs: 1_500,
          type: "binary",
          bytes: 2,
          keptBytes: 2,
          data: "AP8=",
          encoding: "base64",
        },
        {
          index: 2,
          direction: "in",
          atMs: 1_600,
          type: "ping",
          bytes: 0,
          keptBytes: 0,
          data: "",
          encoding: "utf8",
        },
      ],
    }),
  ]);
  expectValid(har);
  expect(first(har)).toMatchObject({
    _resourceType: "websocket",
    request: { url: "wss://shop.example.com/hooks" },
    _webSocketMessages: [
      { type: "send", time: 1_000.5, opcode: 1, data: "hé" },
      { type: "receive", time: 1_001.5, opcode: 2, data: "AP8=" },
    ],
  });
});

test("a request without an answer, and a body that is not kept whole, are valid and told", async () => {
  const { response: _response, ...unanswered } = sketchStored().exchange;
  const cut = sketchStored({ responseBody: "beginning" });
  const exchange = {
    ...cut.exchange,
    note: "The visitor left.",
    redacted: ["cookie"],
    response: {
      ...cut.exchange.response!,
      body: { bytes: 5_000_000, keptBytes: 9, framing: "chunked" as const },
    },
  };
  const har = await toHar([
    { ...cut, exchange },
    {
      ...sketchStored(),
      exchange: { ...unanswered, id: "00000000000000000000000000" },
    },
  ]);
  expectValid(har);
  const [none, partial] = har.log.entries as Record<string, any>[]; // oxlint-disable-line typescript/no-explicit-any -- see above
  expect(none!["response"]).toMatchObject({ status: 0, bodySize: -1 });
  expect(partial!["response"]).toMatchObject({
    bodySize: 5_000_000,
    content: {
      size: 9,
      comment: expect.stringContaining("Only the beginning") as string,
    },
  });
  expect(partial!["comment"]).toBe(
    "The visitor left. The history does not keep the value of cookie.",
  );
});

test("what is no HTTP is left out", async () => {
  const stored = sketchStored();
  const { request: _request, response: _response, ...raw } = stored.exchange;
  const har = await toHar([{ ...stored, exchange: { ...raw, kind: "raw" } }]);
  expect(har.log.entries).toEqual([]);
});

test("whatever was captured, the file is valid", async () => {
  const latin1 = fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .map((code) => String.fromCharCode(code)),
    maxLength: 40,
  });
  const target = fc.oneof(
    fc.constantFrom(
      "/",
      "*",
      "http://[",
      "//x",
      "/%",
      "/a b?c=%zz",
      "relative",
    ),
    latin1.map((text) => `/${text}`),
  );
  const header = fc.tuple(
    fc.constantFrom(
      "Content-Type",
      "Cookie",
      "Set-Cookie",
      "Content-Encoding",
      "Location",
      "X-A",
    ),
    fc.oneof(
      latin1,
      fc.constantFrom(
        "gzip",
        "application/json",
        "a=b; Expires=never; Path",
        ";;=",
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(
      target,
      fc.array(header, { maxLength: 5 }),
      fc.uint8Array({ maxLength: 50 }),
      async (path, headers, bytes) => {
        const body = Buffer.from(bytes);
        const stored = sketchStored({
          headers,
          body,
          responseHeaders: headers,
          responseBody: body,
        });
        expectValid(
          await toHar([
            { ...stored, exchange: { ...stored.exchange, target: path } },
          ]),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test("one exchange can be taken as a file", async () => {
  const file = await exportExchange(sketchStored(), "har");
  expect(file).toMatchObject({
    fileName: "01JD8QZ6V0000000000000ABCD.har",
    contentType: "application/json; charset=utf-8",
  });
  expectValid(JSON.parse(file.text) as Har);
});
