import { describe, expect, it } from "vitest";
import {
  formatJsonRecord,
  formatTextRecord,
  type RecordFormat,
} from "./format-record.ts";
import { recordOf } from "./record.fixture.ts";
import { createNameJudge } from "./sensitive-names.ts";

const format: RecordFormat = {
  headers: "redacted",
  isSensitive: createNameJudge({ redact: [], keep: [] }),
  valueLength: 512,
  headersLength: 8 * 1024,
};

const json = (
  ...args: Parameters<typeof formatJsonRecord>
): Record<string, unknown> =>
  JSON.parse(formatJsonRecord(...args)) as Record<string, unknown>;

describe("a record as JSON", () => {
  it("has every fact about the request, headers by lower-case name", () => {
    expect(json(recordOf(), format)).toEqual({
      time: "2026-11-22T12:00:00.000Z",
      tunnel: "shop",
      identity: "alice@laptop",
      visitor: "203.0.113.5",
      method: "POST",
      url: "shop.tunnel.example.com/hook?token=[redacted]&page=2",
      http: "1.1",
      status: 201,
      routeMs: 0.012,
      connectMs: 0.5,
      firstByteMs: 3.25,
      totalMs: 4.5,
      bytesIn: 10,
      bytesOut: 20,
      headers: {
        host: "shop.tunnel.example.com",
        accept: ["text/html", "*/*"],
        authorization: "[redacted]",
        "x-hub-signature-256": "[redacted]",
      },
    });
  });

  it("leaves out what was never reached", () => {
    const line = json(
      recordOf({
        tunnel: undefined,
        identity: undefined,
        connectMs: undefined,
        firstByteMs: undefined,
        status: 404,
        error: "tunnel-unknown",
      }),
      format,
    );
    expect(line).toMatchObject({ status: 404, error: "tunnel-unknown" });
    for (const key of [
      "tunnel",
      "identity",
      "connectMs",
      "firstByteMs",
      "upgraded",
      "retried",
    ])
      expect(line).not.toHaveProperty(key);
  });

  it("shows secrets when headers are to be shown as they came", () => {
    const line = json(recordOf(), { ...format, headers: "all" });
    expect(line["headers"]).toMatchObject({ authorization: "Bearer s3cret" });
    expect(line["url"]).toContain("token=s3cret");
  });

  it("has no headers when none are wanted, and still no secrets in its URL", () => {
    const line = json(recordOf(), { ...format, headers: "none" });
    expect(line).not.toHaveProperty("headers");
    expect(line["url"]).not.toContain("s3cret");
  });

  it("bounds each value, all headers together, and everything else", () => {
    const long = "x".repeat(100_000);
    const line = json(
      recordOf({
        method: long,
        host: long,
        target: `/${long}`,
        tunnel: long,
        visitor: long,
        rawHeaders: Array.from({ length: 1_000 }, (_, i) =>
          i % 2 ? long : `h${i}`,
        ),
      }),
      format,
    );
    const headers = line["headers"] as Record<string, string>;
    expect(headers["h0"]).toBe(`${"x".repeat(512)}…(+99488)`);
    expect(
      Object.keys(headers).length + (line["headersOmitted"] as number),
    ).toBe(500);
    expect(JSON.stringify(line).length).toBeLessThan(13_000);
  });

  it("keeps a header called __proto__ apart", () => {
    const line = formatJsonRecord(
      recordOf({ rawHeaders: ["__proto__", "a", "__proto__", "b"] }),
      format,
    );
    expect(line).toContain('"headers":{"__proto__":["a","b"]}');
  });

  it("has each byte above 127 of a target as a character, from which it can be told", () => {
    const bytes = Buffer.from(Array.from({ length: 128 }, (_, i) => 128 + i));
    const target = `/${bytes.toString("latin1")}?token=\xc3\xbc&a="\\\xff`;
    const line = formatJsonRecord(recordOf({ target }), format);
    // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
    expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
    const { url } = JSON.parse(line) as { url: string };
    const shown = Buffer.from(url.slice(url.indexOf("/")), "latin1");
    expect(shown).toEqual(
      Buffer.from(target.replace("\xc3\xbc", "[redacted]"), "latin1"),
    );
    const text = formatTextRecord(recordOf({ target: "/\xa0\x85" }), format);
    expect(text).toContain("/\xa0\\u0085");
    expect(text.split("\n")).toHaveLength(1);
  });

  it("names the whole URL of a request in absolute form, without its user", () => {
    expect(
      json(
        recordOf({ target: "http://u:p@shop.tunnel.example.com/x" }),
        format,
      )["url"],
    ).toBe("http://[redacted]@shop.tunnel.example.com/x");
    expect(
      json(recordOf({ target: "*", method: "OPTIONS" }), format)["url"],
    ).toBe("shop.tunnel.example.com *");
  });
});

it("has every fact on one readable line as text", () => {
  expect(
    formatTextRecord(recordOf({ tunnel: undefined, upgraded: true }), format),
  ).toBe(
    "2026-11-22T12:00:00.000Z 203.0.113.5 - alice@laptop POST " +
      "shop.tunnel.example.com/hook?token=[redacted]&page=2 201 4.5ms route=0.012 connect=0.5 " +
      'first=3.25 in=10 out=20 upgraded Host="shop.tunnel.example.com" Accept="text/html" Accept="*/*" ' +
      'Authorization="[redacted]" X-Hub-Signature-256="[redacted]"',
  );
});

it.each([
  ["JSON", formatJsonRecord],
  ["text", formatTextRecord],
] as const)(
  "lets nothing through to a terminal as %s that is not printable",
  (_, write) => {
    const codes = [
      ...Array.from({ length: 256 }, (_, i) => i),
      ...[0x202e, 0x2066, 0x2028, 0x200b, 0xfeff, 0xd800],
    ];
    const hostile = codes.map((code) => String.fromCharCode(code)).join("");
    const line = write(
      recordOf({
        method: hostile,
        host: hostile,
        target: `/${hostile}`,
        visitor: hostile,
        identity: hostile,
        rawHeaders: [hostile, hostile],
      }),
      format,
    );
    expect(line).toMatch(/^[\x20-\x7e\u00a0-\u00ac\u00ae-\u00ff\u2026]+$/);
  },
);
