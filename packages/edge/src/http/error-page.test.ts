import { visitorErrorCodes, type VisitorErrorCode } from "@expose/protocol";
import { describe, expect, test } from "vitest";
import {
  renderErrorPage,
  renderRawResponse,
  statusOf,
  type ErrorFacts,
} from "./error-page.ts";
import type { Refusal } from "./refusal.ts";

const BROWSER =
  "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

function render(refusal: Refusal, facts: Partial<ErrorFacts> = {}) {
  const page = renderErrorPage(refusal, {
    hostname: "app.test",
    accept: undefined,
    upstream: undefined,
    reason: undefined,
    ...facts,
  });
  const fields = new Map<string, string>();
  for (let i = 0; i < page.headers.length; i += 2)
    fields.set(page.headers[i]!, page.headers[i + 1]!);
  return { text: page.body.toString(), fields, size: page.body.length };
}

describe("the form of a page", () => {
  test.each([
    [BROWSER, "text/html"],
    ["application/json", "application/json"],
    ["application/problem+json, text/html;q=0.9", "application/json"],
    ["text/html;q=0.5, application/json", "application/json"],
    ["text/html;q=0, */*", "text/plain"],
    ["*/*", "text/plain"],
    ["image/png", "text/plain"],
    ["text/html;q=zzz", "text/plain"],
    ["", "text/plain"],
    [undefined, "text/plain"],
  ])("for Accept %j is %s", (accept, type) => {
    const { fields } = render({ code: "tunnel-unknown" }, { accept });
    expect(fields.get("Content-Type")).toBe(`${type}; charset=utf-8`);
  });

  test.each(Object.keys(visitorErrorCodes) as VisitorErrorCode[])(
    "%s has a status, its code in the header, and its length",
    (code) => {
      for (const accept of [BROWSER, "application/json", undefined]) {
        const { fields, text, size } = render({ code }, { accept });
        expect(statusOf({ code })).toBeGreaterThanOrEqual(400);
        expect(fields.get("Expose-Error")).toBe(code);
        expect(fields.get("Content-Length")).toBe(String(size));
        expect(fields.get("Cache-Control")).toBe("no-store");
        expect(text).toContain(code);
      }
    },
  );

  test("a page for browsers loads nothing and may not be framed", () => {
    const { fields, text } = render(
      { code: "edge-error" },
      { accept: BROWSER },
    );
    expect(fields.get("Content-Security-Policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-.*frame-ancestors 'none'$/,
    );
    expect(text).not.toMatch(/<script|src=|href=|url\(/);
  });
});

describe("the text of a page", () => {
  test("says that the tunnel is up when the local service is down", () => {
    const { text } = render(
      { code: "upstream-down" },
      { upstream: "localhost:8080", reason: "connect ECONNREFUSED" },
    );
    expect(text).toContain("The tunnel is up");
    expect(text).toContain("localhost:8080");
    expect(text).toContain("connect ECONNREFUSED");
  });

  test("escapes what a client wrote", () => {
    const hostile = `<img src=x onerror="alert('1')">&`;
    const { text } = render(
      { code: "upstream-down" },
      { upstream: hostile, reason: hostile, accept: BROWSER },
    );
    expect(text).not.toContain("<img");
    expect(text).toContain(
      "&#60;img src=x onerror=&#34;alert(&#39;1&#39;)&#34;&#62;&#38;",
    );
  });

  test("shows no control or direction characters", () => {
    const { text } = render(
      { code: "upstream-down" },
      { upstream: "a\u001b[31mb\u202ec\r\nd\u0085", reason: "\ud800" },
    );
    expect(text).toContain("a?[31mb?c??d?");
    for (const hidden of ["\u001b", "\u202e", "\r", "\u0085", "\ufffd"])
      expect(text).not.toContain(hidden);
  });

  test("Retry-After is told where there is one", () => {
    const { fields } = render({ code: "tunnel-away", retryAfterS: 7 });
    expect(fields.get("Retry-After")).toBe("7");
  });
});

test("a raw response is a whole one", () => {
  const raw = renderRawResponse({ code: "request-timeout" }, new Date(0));
  const [head = "", body = ""] = raw.toString().split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  expect(head).toContain("Connection: close");
  expect(head).toContain("Date: Thu, 01 Jan 1970 00:00:00 GMT");
  expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
});
