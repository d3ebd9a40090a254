import { describe, expect, test } from "vitest";
import { CHUNKED, decideFraming } from "./framing.ts";
import { readRequestHead } from "./request-head.ts";

const decide = (minor: number, ...raw: string[]) =>
  decideFraming(readRequestHead(raw), minor);

describe("decideFraming", () => {
  test("without a framing field there is no body", () => {
    expect(decide(1, "Host", "a")).toBe(0);
  });

  test.each([
    ["0", 0],
    ["5", 5],
    ["000000000000012", 12],
    ["999999999999999", 999_999_999_999_999],
  ])("a Content-Length of %s is %d bytes", (value, expected) => {
    expect(decide(1, "content-LENGTH", value)).toBe(expected);
    expect(decide(0, "content-LENGTH", value)).toBe(expected);
  });

  test("chunked is recognised in any case", () => {
    expect(decide(1, "Transfer-Encoding", "Chunked")).toBe(CHUNKED);
  });

  test.each([
    ["a signed length", ["Content-Length", "+5"]],
    ["a negative length", ["Content-Length", "-5"]],
    ["a hexadecimal length", ["Content-Length", "0x5"]],
    ["a list of equal lengths", ["Content-Length", "5, 5"]],
    ["an empty length", ["Content-Length", ""]],
    ["a length beyond 2^53", ["Content-Length", "9".repeat(16)]],
    ["two lengths", ["Content-Length", "5", "content-length", "5"]],
    ["both framings", ["Content-Length", "5", "Transfer-Encoding", "chunked"]],
    [
      "both framings, the other way round",
      ["Transfer-Encoding", "chunked", "Content-Length", "5"],
    ],
    [
      "two codings",
      ["Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"],
    ],
  ])("%s is refused", (_, raw) => {
    expect(decide(1, ...raw)).toMatchObject({ code: "request-invalid" });
  });

  test.each(["gzip, chunked", "identity", "xchunked", "chunked, chunked", ""])(
    "the coding %j is answered with 501",
    (value) => {
      expect(decide(1, "Transfer-Encoding", value)).toMatchObject({
        status: 501,
      });
    },
  );

  test("HTTP/1.0 has no Transfer-Encoding", () => {
    expect(decide(0, "Transfer-Encoding", "chunked")).toMatchObject({
      code: "request-invalid",
    });
  });
});
