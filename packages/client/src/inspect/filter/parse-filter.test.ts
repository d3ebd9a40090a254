import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { filterKeys, filterRules, type Exchange } from "@expose/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FilterError, parseFilter } from "./parse-filter.ts";

const NOW = new Date(2026, 0, 31, 12, 0).getTime();
const empty = Buffer.alloc(0);

const exchange: Exchange = {
  id: "01JD8QZ6V0000000000000ABCD",
  tunnel: "shop",
  origin: "https://shop.example.com",
  kind: "http",
  state: "complete",
  startedAt: NOW - 5 * 60_000,
  method: "POST",
  target: "/hooks/stripe?attempt=2",
  host: "shop.example.com",
  status: 502,
  durationMs: 750,
  requestBytes: 1_200,
  responseBytes: 300,
  requestType: "application/json; charset=utf-8",
  responseType: "text/html",
  webhook: {
    provider: "stripe",
    event: "checkout.session.completed",
    verdict: "failed",
  },
  upstream: "localhost:8080",
  visitor: "203.0.113.9",
  request: {
    method: "POST",
    target: "/hooks/stripe?attempt=2",
    version: "1.1",
    headers: [
      ["Host", "shop.example.com"],
      ["Content-Type", "application/json; charset=utf-8"],
    ],
    trailers: [],
    body: { bytes: 1_200, keptBytes: 1_200, framing: "length" },
  },
  response: {
    status: 502,
    reason: "Bad Gateway",
    version: "1.1",
    headers: [
      ["Content-Type", "text/html"],
      ["X-Trace", "Abc123"],
    ],
    trailers: [],
    body: { bytes: 300, keptBytes: 300, framing: "length" },
    informational: [],
  },
  timing: {},
  redacted: [],
};
const bodies = {
  request: Buffer.from('{"note":"Out of stock: \u00e9clair, 2 left"}'),
  response: Buffer.from("<h1>Upstream gone</h1>"),
};

const matches = (text: string, subject = exchange, kept = bodies): boolean =>
  parseFilter(text, NOW).matches(subject, () => kept);

describe("what matches", () => {
  test.each([
    "",
    "   ",
    "method:post",
    "method:GET,POST",
    "method:P*",
    "status:502",
    "status:5xx",
    "status:>=400",
    "status:500..599",
    "status:404,5xx",
    "path:/hooks",
    "path:/hooks/*?attempt=2",
    "path:stripe",
    "host:EXAMPLE",
    "tunnel:shop",
    "visitor:203.0.113.",
    "header:x-trace",
    "header:content-type=json",
    'header:"x-trace=abc123"',
    "body:stock",
    'body:"out of stock:"',
    'body:"\\"note\\""',
    "body:éclair",
    "type:http",
    "type:json",
    "type:html,xml",
    "state:complete",
    "since:10m",
    "since:2026-01-31",
    "since:11:54",
    "since:13:00",
    "before:4m",
    "before:2026-02-01T00:00Z",
    "slow:500ms",
    "slow:>0.7s",
    "slow:<1s",
    "size:1.5kb",
    "size:<1mb",
    "webhook:stripe",
    "webhook:yes",
    "event:checkout.*",
    "verdict:failed",
    "replay:no",
    "id:01jd8",
    "upstream",
    "shop.example.com/hooks",
    "https://shop.example.com/hooks".replace(/^(.*)$/, '"$1"'),
    "abc123",
    "-status:2xx method:POST",
    "-nothing-of-the-kind",
    "-body:absent",
  ])("%s", (text) => expect(matches(text)).toBe(true));
});

describe("what does not match", () => {
  test.each([
    "method:GET",
    "status:200..299",
    "status:none",
    "path:/stripe",
    "path:/hooks/*?attempt=3*",
    "tunnel:sho",
    "tunnel:s*op*p",
    "header:x-tra",
    "header:x-trace=xyz",
    "body:gone-missing",
    "type:websocket",
    "since:4m",
    "since:11:56",
    "before:10m",
    "slow:>1s",
    "size:>1500b",
    "webhook:github",
    "webhook:no",
    "event:checkout",
    "verdict:verified,unchecked",
    "replay:yes",
    "-upstream",
    "method:POST status:200",
    "absent words",
  ])("%s", (text) => expect(matches(text)).toBe(false));
});

test.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
] as const)(
  "a body in %s is searched as what it opens to",
  (coding, compress) => {
    const subject: Exchange = {
      ...exchange,
      response: {
        ...exchange.response!,
        headers: [["Content-Encoding", coding]],
      },
    };
    const kept = { request: empty, response: compress("inside of it: needle") };
    expect(matches("body:needle", subject, kept)).toBe(true);
    expect(matches("body:haystack", subject, kept)).toBe(false);
  },
);

test("a body that opens to more than may be opened is searched as it passed", () => {
  const response = brotliCompressSync(Buffer.alloc(50 << 20, "needle"));
  const headers = [["content-encoding", "br"]] as const;
  const subject: Exchange = {
    ...exchange,
    response: { ...exchange.response!, headers },
  };
  const before = performance.now();
  expect(matches("body:needle", subject, { request: empty, response })).toBe(
    false,
  );
  expect(performance.now() - before).toBeLessThan(1_000);
});

test("bodies are asked for only when a term needs them and the others hold", () => {
  const unwanted = (): never => {
    throw new Error("read in vain");
  };
  for (const text of ["method:POST", "method:GET body:stock", "abc123"])
    parseFilter(text, NOW).matches(exchange, unwanted);
  expect(parseFilter("method:GET").needsBodies).toBe(false);
  expect(parseFilter("method:GET word").needsBodies).toBe(true);
});

describe("mistakes", () => {
  test.each([
    ["metod:POST", 0, "is it method:?"],
    ["status:5xx pth:/x", 11, "is it path:?"],
    ["completely:unlike", 0, "there are method, status"],
    ["status:teapot", 7, 'this is "teapot"'],
    ["status:404,", 11, "A value is missing for status:"],
    ["method:", 7, "A value is missing for method:"],
    ["status:404,6xx", 11, "expected 404, 5xx"],
    ["slow:fast", 5, "500ms"],
    ["size:>1parsec", 5, "10kb"],
    ["since:yesterday", 6, "2026-01-31"],
    ["since:25:00", 6, "14:30"],
    ["verdict:maybe", 8, "verified, failed, unchecked"],
    ['body:"open', 5, "not closed"],
    ['"a"b', 3, "blank is missing"],
    ['""', 0, "nothing between"],
    ["method:GET -", 11, "A minus stands right before"],
    [`${"a ".repeat(41)}`, 80, "40 terms"],
    ["a".repeat(1_001), 1_000, "1000 characters"],
  ])("%s is told at character %i", (text, position, message) => {
    const error = failure(text);
    expect(error.code).toBe("filter-invalid");
    expect(error.position).toBe(position);
    expect(error.message).toContain(message);
  });

  function failure(text: string): FilterError {
    try {
      parseFilter(text, NOW);
    } catch (error) {
      if (error instanceof FilterError) return error;
      throw error;
    }
    throw new Error(`${text} was taken for a filter`);
  }
});

test("any text either compiles or is refused with a place in it", () => {
  const piece = fc.oneof(
    fc.constantFrom(...filterKeys.map(({ key }) => `${key}:`)),
    fc.constantFrom('"', "-", ",", "*", "\\", " ", ">=", "..", "10m"),
    fc.string({ unit: "binary", maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const text = pieces.join("");
      try {
        expect(typeof matches(text)).toBe("boolean");
      } catch (error) {
        if (!(error instanceof FilterError)) throw error;
        expect(error.position).toBeGreaterThanOrEqual(0);
        expect(error.position).toBeLessThanOrEqual(text.length);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a quoted text is found whatever stands in it, and its negation is its opposite", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 30 }), (text) => {
      const quoted = `"${text.replace(/["\\]/g, "\\$&")}"`;
      const kept = { request: Buffer.from(`<${text}>`), response: empty };
      expect(matches(`body:${quoted}`, exchange, kept)).toBe(true);
      expect(matches(`-body:${quoted}`, exchange, kept)).toBe(false);
    }),
  );
});

test("a pattern of many stars over a long path takes linear time", () => {
  const subject = { ...exchange, target: `/${"a".repeat(60_000)}` };
  const before = performance.now();
  expect(matches(`path:${"*a".repeat(300)}*b`, subject)).toBe(false);
  expect(performance.now() - before).toBeLessThan(250);
});

describe("the documentation", () => {
  const page = readFileSync(
    join(import.meta.dirname, "../../../../../docs/filters.md"),
    "utf8",
  );

  test("has the table of the keys as it is in the code", () => {
    const documented = [
      ...page.matchAll(/^\| `(\w+):` +\| (.*?) +\| (.*?) +\| `(.*?)` +\|$/gm),
    ].map(([, key, values, meaning, example]) => ({
      key,
      values: values!.replaceAll("\\*", "*"),
      meaning,
      example,
    }));
    expect(documented).toEqual(filterKeys);
  });

  test("has the rules as they are in the code", () => {
    const flat = page.replace(/\s+/g, " ");
    for (const rule of filterRules) expect(flat).toContain(rule);
  });

  test.each(filterKeys)(
    "shows $example, which is a filter",
    ({ key, example }) => {
      expect(example).toMatch(new RegExp(`^${key}:`));
      expect(() => parseFilter(example)).not.toThrow();
    },
  );
});
