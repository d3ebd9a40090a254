import type { HeaderLine } from "@expose/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExposeError } from "../../errors.ts";
import { redact } from "../store/redact.ts";
import { sketchStored } from "../use-stored.ts";
import { parseHttpFile, type FileRequest } from "./parse-http-file.ts";
import { writeHttpFile } from "./write-http-file.ts";

const parse = (text: string): FileRequest[] => parseHttpFile(text, "a.http");
const parseOne = (text: string): FileRequest => {
  const requests = parse(text);
  expect(requests).toHaveLength(1);
  return requests[0]!;
};

describe("a file that was saved", () => {
  test("reads well", () => {
    const { exchange, bodies } = sketchStored({
      url: "https://shop.example.com/hooks?a=1",
      headers: { "Content-Type": "application/json", Connection: "close" },
      body: '{"a":1}',
      startedAt: 0,
      over: {
        webhook: {
          provider: "stripe",
          event: "invoice.paid",
          verdict: "verified",
        },
      },
    });
    expect(writeHttpFile(exchange, bodies.request)).toBe(
      `### POST /hooks?a=1
# captured 1970-01-01T00:00:00.000Z
# stripe invoice.paid
POST https://shop.example.com/hooks?a=1 HTTP/1.1
Content-Type: application/json

{"a":1}
`,
    );
  });

  test.each([
    ["text", "a\nb"],
    ["a line break at its end", "a\n"],
    ["line breaks alone", "\n\n"],
    ["CR LF", "a\r\nb\r\n"],
    ["bytes", Buffer.from([0, 255, 10])],
    ["what looks like the next request", "a\n### GET http://x/\n"],
    ["what looks like a file", "< /etc/passwd"],
    ["what looks like a comment", "# a\n// b"],
    ["a byte order mark", "\ufeff{}"],
    ["nothing", ""],
  ])("gives back a body of %s byte by byte", (_, body) => {
    const { exchange, bodies } = sketchStored({ body });
    const read = parseOne(writeHttpFile(exchange, bodies.request));
    expect(read.body).toEqual(bodies.request);
    expect(read.bodyFile).toBeUndefined();
  });

  test("leaves out what is redacted, and says so", () => {
    const { exchange, bodies } = sketchStored({
      url: "https://shop.example.com/hooks?token=t0ken&a=1",
      headers: { Authorization: "Bearer x", Cookie: "sid=1", "X-A": "1" },
    });
    const text = writeHttpFile(redact(exchange), bodies.request);
    const read = parseOne(text);
    expect(read.headers).toEqual([["X-A", "1"]]);
    expect(read.target).toBe(
      "https://shop.example.com/hooks?token=[redacted]&a=1",
    );
    expect(text).toContain(
      "# Without the secrets of query, authorization, cookie:",
    );
    expect(text).not.toMatch(/Bearer|sid=|t0ken/);
  });

  test("gives back any request, however strange", () => {
    const latin1 = (min: number) =>
      fc
        .integer({ min, max: 0xff })
        .filter((code) => code < 0x7f || code > 0x9f)
        .map((code) => String.fromCharCode(code));
    const header: fc.Arbitrary<HeaderLine> = fc.tuple(
      fc.stringMatching(/^X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,10}$/),
      fc
        .string({ unit: latin1(0x20), maxLength: 20 })
        .map((text) => text.trim()),
    );
    fc.assert(
      fc.property(
        fc.constantFrom("GET", "POST", "M-SEARCH", "PROPFIND"),
        fc.string({
          unit: latin1(0x21).filter((c) => c < "\u0080"),
          maxLength: 20,
        }),
        fc.array(header, { maxLength: 5 }),
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
          fc
            .string({
              unit: fc.constantFrom("\n", "#", "# ", "< ", "a", "é", "{"),
              maxLength: 12,
            })
            .map((text) => Buffer.from(text)),
        ),
        (method, path, headers, body) => {
          const { exchange, bodies } = sketchStored({
            method,
            url: `https://shop.example.com/${path}`,
            headers,
            body,
          });
          expect(
            parseOne(writeHttpFile(exchange, bodies.request)),
          ).toMatchObject({
            method,
            target: `https://shop.example.com/${path}`,
            headers,
            body: bodies.request,
          });
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("a file that was written by hand", () => {
  test("may have several requests, comments, and blank lines", () => {
    const requests = parse(`
// The first one has no name.
GET http://localhost:8080/a

###

### Second
# a comment
POST /hooks
Host: example.com
# another comment
Content-Type: text/plain

one
two

### Third
http://localhost/
`);
    expect(
      requests.map(({ name, method, target, line }) => [
        name,
        method,
        target,
        line,
      ]),
    ).toEqual([
      ["", "GET", "http://localhost:8080/a", 3],
      ["Second", "POST", "/hooks", 9],
      ["Third", "GET", "http://localhost/", 18],
    ]);
    expect(requests[1]?.headers).toEqual([
      ["Host", "example.com"],
      ["Content-Type", "text/plain"],
    ]);
    expect(requests[1]?.body.toString()).toBe("one\ntwo");
  });

  test("may come from Windows", () => {
    const [read] = parse(
      "\ufeffPOST http://x/ HTTP/1.1\r\nA: b\r\n\r\none\r\ntwo\r\n",
    );
    expect(read).toMatchObject({ headers: [["A", "b"]] });
    expect(read?.body.toString()).toBe("one\r\ntwo");
  });

  test("may name a file as its body", () => {
    expect(parseOne("POST /x\n\n< ./body.bin\n")).toMatchObject({
      bodyFile: "./body.bin",
    });
    expect(parseOne("POST /x\n\n<html>\n").bodyFile).toBeUndefined();
  });

  test.each([
    ["", 1, "no request"],
    ["### only a name\n# and a comment\n", 1, "no request"],
    ["POST\n", 1, "expected a request line"],
    ["POST ftp://x/\n", 1, "no http URL"],
    ["GET /a b\n", 1, "nothing else"],
    ["GET /a HTTP/2\n", 1, "nothing else"],
    ["GET /a\nno colon\n", 2, "expected a header"],
    ["GET /a\nA : b\n", 2, "expected a header"],
    ["GET /a\nA: \u2603\n", 2, "beyond ISO 8859-1"],
    ["# @body base64\nPOST /a\n\n!!!\n", 4, "marked as base64"],
  ])("%j is refused at line %i", (text, line, message) => {
    let error: unknown;
    try {
      parse(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(ExposeError);
    expect(error).toMatchObject({ code: "http-file-invalid" });
    expect((error as ExposeError).message).toContain(`a.http:${line}:`);
    expect((error as ExposeError).message).toContain(message);
  });

  test("of any text is read or refused", () => {
    const piece = fc.constantFrom(
      "###",
      "\n",
      "\r\n",
      "GET /",
      "POST http://x/",
      "A: b",
      "#",
      " ",
      "< f",
      "# @body base64",
      "YQ==",
      "\u0000",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        try {
          for (const { method } of parse(pieces.join("")))
            expect(method).toMatch(/^[!#-~]+$/);
        } catch (error) {
          expect(error).toMatchObject({ code: "http-file-invalid" });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
