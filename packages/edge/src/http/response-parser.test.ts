import fc from "fast-check";
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { defaultHttpLimits, type HttpLimits } from "./limits.ts";
import type { ResponseHead } from "./response-head.ts";
import { ResponseParser } from "./response-parser.ts";

interface Parsed {
  valid: boolean;
  interim: number[];
  head: ResponseHead | undefined;
  body: string;
  /** Undefined while the answer is not complete. */
  end: { trailers: readonly string[]; reusable: boolean } | undefined;
}

interface Options {
  isHead?: boolean;
  /** Where to cut the bytes. */
  cuts?: readonly number[];
  limits?: Partial<HttpLimits>;
  /** Whether the upstream ends its side behind the bytes. */
  eof?: boolean;
}

function parse(text: string, options: Options = {}): Parsed {
  const parser = new ResponseParser({
    ...defaultHttpLimits,
    ...options.limits,
  });
  const parsed: Parsed = {
    ...{ valid: true, interim: [], head: undefined, body: "", end: undefined },
  };
  parser.start(
    {
      onInterim: (head) => parsed.interim.push(head.status),
      onHead(head) {
        expect(parsed.head).toBeUndefined();
        parsed.head = head;
      },
      onBody(chunk) {
        expect(parsed.head).toBeDefined();
        expect(chunk.length).toBeGreaterThan(0);
        parsed.body += chunk.toString("latin1");
        return true;
      },
      onEnd(trailers, reusable) {
        expect(parsed.end).toBeUndefined();
        parsed.end = { trailers, reusable };
      },
    },
    options.isHead ?? false,
  );
  const bytes = Buffer.from(text, "latin1");
  const ends = [...(options.cuts ?? []), bytes.length];
  let at = 0;
  for (const end of ends) {
    // A copy of its own, so that a parser that holds on to what it was given is found out.
    const piece = Buffer.from(bytes.subarray(at, end));
    at = end;
    if (piece.length === 0) continue;
    if (!parser.execute(piece)) return { ...parsed, valid: false };
    if (parsed.end === undefined) piece.fill(0);
  }
  if (options.eof) parser.finish();
  return parsed;
}

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

describe("an answer", () => {
  test("with a length", () => {
    expect(
      parse(
        "HTTP/1.1 200 OK\r\nServer:\ta \r\nContent-length:  5 \r\nX:\r\n\r\nhello",
      ),
    ).toEqual({
      valid: true,
      interim: [],
      head: {
        status: 200,
        reason: "OK",
        headers: ["Server", "a", "Content-length", "5", "X", ""],
        contentLength: 5,
        chunked: false,
        keepAlive: true,
        keepAliveTimeoutS: undefined,
        announcesTrailers: false,
      },
      body: "hello",
      end: { trailers: [], reusable: true },
    });
  });

  test("in chunks, with extensions and trailers", () => {
    const { body, end, head } = parse(
      `${CHUNKED}Trailer: X-T\r\n\r\n5;a="b c"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-T: 1\r\nHost: evil\r\nx-t:2\r\n\r\n`,
    );
    expect(body).toBe("hello0123456789");
    expect(head?.announcesTrailers).toBe(true);
    expect(end).toEqual({ trailers: ["X-T", "1", "x-t", "2"], reusable: true });
  });

  test("until the connection ends, which is never used again", () => {
    const text = "HTTP/1.1 200 OK\r\n\r\nhello";
    expect(parse(text).end).toBeUndefined();
    expect(parse(text, { eof: true })).toMatchObject({
      body: "hello",
      end: { reusable: false },
    });
  });

  test.each([
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"],
    ["a chunk", `${CHUNKED}\r\n6\r\nhello`],
    ["the last chunk", `${CHUNKED}\r\n5\r\nhello\r\n0\r\n`],
    ["a head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"],
    ["anything", ""],
  ])("that ends before %s is complete is not complete", (_, text) => {
    expect(parse(text, { eof: true })).toMatchObject({
      valid: true,
      end: undefined,
    });
  });

  test.each([
    ["to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true],
    ["to HEAD, in chunks", `${CHUNKED}\r\n`, true],
    ["with 204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false],
    [
      "with 304",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
      false,
    ],
    [
      "with 304, in chunks",
      "HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n",
      false,
    ],
    ["with length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false],
  ])("%s has no body", (_, text, isHead) => {
    expect(parse(text, { isHead })).toMatchObject({
      body: "",
      end: { reusable: true },
    });
    expect(parse(`${text}hello`, { isHead })).toMatchObject({
      body: "",
      end: { reusable: false },
    });
  });

  test("keeps its length in answer to HEAD and in 304, and loses it in 204 (RFC 9110 section 8.6)", () => {
    const headersOf = (status: number, isHead: boolean) =>
      parse(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`, { isHead })
        .head?.headers;
    expect(headersOf(200, true)).toEqual(["Content-Length", "5"]);
    expect(headersOf(304, false)).toEqual(["Content-Length", "5"]);
    expect(headersOf(204, false)).toEqual([]);
  });

  test.each([
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    ["chunks", `${CHUNKED}\r\n5\r\nhello\r\n0\r\n\r\n`],
  ])(
    "with %s and bytes behind it leaves the connection unusable",
    (_, text) => {
      expect(parse(`${text}H`)).toMatchObject({
        valid: true,
        body: "hello",
        end: { reusable: false },
      });
    },
  );

  test.each([
    ["HTTP/1.1 200 OK\r\nConnection: close\r\n", false],
    ["HTTP/1.1 200 OK\r\nConnection: Foo, CLOSE\r\n", false],
    [
      "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n",
      false,
    ],
    ["HTTP/1.1 200 OK\r\nConnection: closed\r\n", true],
    ["HTTP/1.0 200 OK\r\n", false],
    ["HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", true],
    ["HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n", false],
  ])("%j keeps the connection: %s", (head, keepAlive) => {
    const parsed = parse(`${head}Content-Length: 0\r\n\r\n`);
    expect(parsed.end).toEqual({ trailers: [], reusable: keepAlive });
    expect(parsed.head?.headers).toEqual(["Content-Length", "0"]);
  });

  test("tells how long the upstream waits for another request", () => {
    const of = (value: string) =>
      parse(`HTTP/1.1 204 X\r\nKeep-Alive: ${value}\r\n\r\n`).head
        ?.keepAliveTimeoutS;
    expect(of("timeout=5")).toBe(5);
    expect(of("max=100, Timeout=72")).toBe(72);
    expect(of("timeout=x")).toBeUndefined();
    expect(of("xtimeout=5")).toBeUndefined();
  });

  test("loses what Connection names, but never its length", () => {
    const { head, body } = parse(
      "HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: x-a, content-length\r\nX-B: 2\r\nContent-Length: 5\r\nx-a: 3\r\n\r\nhello",
    );
    expect(head?.headers).toEqual(["X-B", "2", "Content-Length", "5"]);
    expect(body).toBe("hello");
  });

  test("comes behind interim ones, of which 16 pass", () => {
    const interim = (count: number) =>
      parse(
        `${"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n".repeat(count)}HTTP/1.1 204 X\r\n\r\n`,
      );
    expect(interim(16)).toMatchObject({
      valid: true,
      interim: Array(16).fill(103),
      end: { reusable: true },
    });
    expect(interim(17).valid).toBe(false);
  });

  test("with a file name outside ASCII keeps its bytes when Node writes it: the length goes behind", () => {
    const disposition = 'attachment; filename="\u00c3\u00a9"';
    const { head } = parse(
      `HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 0\r\nB: 2\r\nContent-Disposition: ${disposition}\r\nC: 3\r\n\r\n`,
    );
    expect(head?.headers).toEqual([
      ...["A", "1", "B", "2", "Content-Disposition", disposition],
      ...["Content-Length", "0", "C", "3"],
    ]);
  });
});

test("a file name outside ASCII keeps its bytes whatever else is in the head", () => {
  const { head } = parse(
    "HTTP/1.1 200 OK\r\nConnection: X-Drop\r\nX-Drop: 1\r\nContent-Length: 0\r\nContent-Disposition: \u00e9\r\nContent-Disposition: \u00e8\r\n\r\n",
  );
  expect(head?.headers).toEqual([
    ...["Content-Disposition", "\u00e9", "Content-Disposition", "\u00e8"],
    ...["Content-Length", "0"],
  ]);
});

describe("refused as no HTTP/1.1:", () => {
  const ok = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`;
  test.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
    ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n"],
    ["a lower-case protocol", "http/1.1 200 OK\r\n\r\n"],
    ["an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
    ["two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n"],
    ["a control character in the reason", "HTTP/1.1 200 O\u0001K\r\n\r\n"],
    ["bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["one bare LF", ok("A: 1\nB: 2")],
    ["a bare CR", ok("A: 1\rB: 2")],
    ["CR CR LF", ok("A: 1\r\r\nB: 2")],
    ["NUL", ok("A: 1\u0000")],
    ["DEL", ok("A: 1\u007f")],
    ["folded lines", ok("A: 1\r\n B: 2")],
    ["a folded first line", ok(" A: 1")],
    ["a space before the colon", ok("A : 1")],
    ["a space in a name", ok("A B: 1")],
    ["no name", ok(": 1")],
    ["no colon", ok("A")],
    ["a name outside ASCII", ok("\u00e9: 1")],
    ["two lengths", ok("Content-Length: 1\r\nContent-Length: 2")],
    ["two equal lengths", ok("Content-Length: 0\r\nContent-Length: 0")],
    ["a list of lengths", ok("Content-Length: 0, 0")],
    ["no length in its field", ok("Content-Length: ")],
    ["a tab before a length", ok("Content-Length:\t0")],
    ["a tab behind a coding", ok("Transfer-Encoding: chunked\t")],
    ["a signed length", ok("Content-Length: +0")],
    ["a length beyond 2^53", ok(`Content-Length: ${"9".repeat(16)}`)],
    ["both framings", ok("Content-Length: 0\r\nTransfer-Encoding: chunked")],
    [
      "both framings, turned",
      ok("Transfer-Encoding: chunked\r\nContent-Length: 0"),
    ],
    [
      "two codings",
      ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    ],
    ["another coding", ok("Transfer-Encoding: gzip")],
    ["a list of codings", ok("Transfer-Encoding: gzip, chunked")],
    [
      "chunks in HTTP/1.0",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    [
      "switching protocols unasked",
      "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n",
    ],
    ["a chunk without a size", `${CHUNKED}\r\n\r\n`],
    ["a chunk with an extension only", `${CHUNKED}\r\n;a\r\n`],
    ["a size that is not hexadecimal", `${CHUNKED}\r\n0x5\r\n`],
    ["a negative size", `${CHUNKED}\r\n-5\r\n`],
    ["a space behind the size", `${CHUNKED}\r\n5 \r\nhello\r\n`],
    ["a size without end", `${CHUNKED}\r\n${"0".repeat(14)}`],
    ["a size beyond 2^53", `${CHUNKED}\r\nfffffffffffffff\r\n`],
    ["a size with bare LF", `${CHUNKED}\r\n5\nhello\r\n`],
    ["a chunk longer than its size", `${CHUNKED}\r\n5\r\nhello!\r\n`],
    ["a chunk with bare LF", `${CHUNKED}\r\n5\r\nhello\n0\r\n\r\n`],
    [
      "a control character in an extension",
      `${CHUNKED}\r\n5;\u0000\r\nhello\r\n`,
    ],
    ["bare LF in an extension", `${CHUNKED}\r\n5;a\n\r\nhello\r\n`],
    [
      "4 KiB of extensions",
      `${CHUNKED}\r\n${`1;${"a".repeat(512)}\r\nx\r\n`.repeat(9)}`,
    ],
    ["a malformed trailer", `${CHUNKED}\r\n0\r\nA : 1\r\n\r\n`],
    ["bare LF in trailers", `${CHUNKED}\r\n0\r\nA: 1\n\r\n\r\n`],
  ])("%s", (_, text) => {
    expect(parse(text).valid).toBe(false);
    const bytewise = Array.from({ length: text.length }, (__, i) => i);
    expect(parse(text, { cuts: bytewise }).valid).toBe(false);
  });

  test("a head above the limit, as soon as it is above", () => {
    const limits = { responseHeadBytes: 200 };
    const head = (bytes: number) =>
      `HTTP/1.1 204 X\r\nA: ${"a".repeat(bytes - 23)}\r\n\r\n`;
    expect(head(200)).toHaveLength(200);
    expect(parse(head(200), { limits }).end).toBeDefined();
    expect(
      parse(head(200), { limits, cuts: [50, 100, 199] }).end,
    ).toBeDefined();
    expect(parse(head(201), { limits }).valid).toBe(false);
    expect(parse(head(201), { limits, cuts: [50, 100, 200] }).valid).toBe(
      false,
    );
    expect(parse(head(900).slice(0, 201), { limits }).valid).toBe(false);
  });

  test("more fields than the limit, in the head and in the trailers", () => {
    const limits = { headerFields: 3 };
    const fields = (count: number) => "A: 1\r\n".repeat(count);
    expect(parse(`HTTP/1.1 204 X\r\n${fields(3)}\r\n`, { limits }).valid).toBe(
      true,
    );
    expect(parse(`HTTP/1.1 204 X\r\n${fields(4)}\r\n`, { limits }).valid).toBe(
      false,
    );
    expect(parse(`${CHUNKED}\r\n0\r\n${fields(4)}\r\n`, { limits }).valid).toBe(
      false,
    );
  });

  test("what cannot become an answer, without waiting for the limit", () => {
    expect(parse("GET").valid).toBe(false);
    expect(parse("HTTP/1.").valid).toBe(true);
    expect(parse("HTTP/1.1 200 OK\nA").valid).toBe(false);
  });
});

describe("cutting the bytes anywhere", () => {
  test.each([
    ["HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 11\r\n\r\nhello world"],
    [
      `${CHUNKED}\r\n5;x=y\r\nhello\r\n0b\r\n0123456789a\r\n0\r\nX-T: 1\r\nY: 2\r\n\r\n`,
    ],
    [
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nL: 1\r\n\r\n${CHUNKED}\r\n1\r\na\r\n0\r\n\r\n`,
    ],
    ["HTTP/1.0 404 \r\nX: \r\n\r\nuntil the end"],
  ])("changes nothing: %j", (text) => {
    const whole = parse(text, { eof: true });
    expect(whole.end).toBeDefined();
    for (let first = 0; first <= text.length; first++)
      for (let second = first; second <= text.length; second += 3)
        expect(parse(text, { cuts: [first, second], eof: true })).toEqual(
          whole,
        );
    const bytewise = Array.from({ length: text.length }, (_, i) => i);
    expect(parse(text, { cuts: bytewise, eof: true })).toEqual(whole);
  });
});

describe("against Node's parser", () => {
  const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
  const value = fc.stringMatching(
    /^[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?$/,
  );
  const field = fc
    .tuple(token, value)
    .filter(
      ([name]) =>
        !/^(?:connection|content-length|transfer-encoding|keep-alive|upgrade|te|trailer|expose-error|proxy-.*|content-disposition)$/i.test(
          name,
        ),
    );
  const body = fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.from(bytes).toString("latin1"));
  const answer = fc.record({
    status: fc.integer({ min: 200, max: 599 }),
    reason: fc.stringMatching(/^[\t \x21-\x7e]{0,10}$/),
    fields: fc.array(field, { maxLength: 6 }),
    framing: fc.constantFrom("length", "chunks", "close"),
    pieces: fc.array(body, { maxLength: 4 }),
    trailers: fc.array(
      fc.tuple(fc.constantFrom("X-T", "x-checksum", "Z"), value),
      { maxLength: 2 },
    ),
  });

  function write(
    generated: typeof answer extends fc.Arbitrary<infer T> ? T : never,
  ): string {
    const { status, reason, fields, framing, pieces, trailers } = generated;
    let text = `HTTP/1.1 ${status} ${reason}\r\n`;
    for (const [name, content] of fields) text += `${name}: ${content}\r\n`;
    const filled = pieces.filter((piece) => piece !== "");
    const noBody = status === 204 || status === 304;
    if (framing === "close" && !noBody) return `${text}\r\n${filled.join("")}`;
    if (framing === "chunks") {
      text += "Transfer-Encoding: chunked\r\n\r\n";
      if (noBody) return text;
      for (const piece of filled)
        text += `${piece.length.toString(16)}\r\n${piece}\r\n`;
      text += "0\r\n";
      for (const [name, content] of trailers) text += `${name}: ${content}\r\n`;
      return `${text}\r\n`;
    }
    const whole = filled.join("");
    text += `Content-Length: ${whole.length}\r\n\r\n`;
    return noBody ? text : text + whole;
  }

  test("every well-formed answer is read alike", async () => {
    await fc.assert(
      fc.asyncProperty(
        answer,
        fc.array(fc.nat(300), { maxLength: 4 }),
        async (generated, cuts) => {
          const text = write(generated);
          const ours = parse(text, {
            cuts: cuts
              .map((cut) => Math.min(cut, text.length))
              .toSorted((a, b) => a - b),
            eof: true,
          });
          const theirs = await parseWithNode(text);
          expect(ours.end).toBeDefined();
          expect(theirs).toEqual({
            status: ours.head?.status,
            reason: ours.head?.reason.trimEnd(),
            headers: without(ours.head?.headers ?? []),
            body: ours.body,
            trailers: ours.end?.trailers,
          });
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  test("what is taken after a byte was changed, Node takes alike: ours is the stricter one", async () => {
    await fc.assert(
      fc.asyncProperty(
        answer,
        fc.nat(),
        fc.constantFrom(
          "\r",
          "\n",
          "\0",
          " ",
          "\t",
          ":",
          ";",
          ",",
          "0",
          "a",
          "\u00ff",
          "",
        ),
        async (generated, seed, replacement) => {
          const text = write(generated);
          const at = seed % text.length;
          const mutated = text.slice(0, at) + replacement + text.slice(at + 1);
          const ours = parse(mutated, { eof: true });
          if (!ours.valid || ours.end === undefined) return;
          const theirs = await parseWithNode(mutated);
          expect(theirs?.body).toBe(ours.body);
          expect(theirs?.status).toBe(ours.head?.status);
        },
      ),
      { numRuns: 1_000, seed: 1 },
    );
  });
});

// Content-Length and Transfer-Encoding are framing, and where they stand is tested elsewhere.
function without(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2)
    if (!/^(?:content-length|transfer-encoding)$/i.test(headers[i]!))
      kept.push(headers[i]!, headers[i + 1]!);
  return kept;
}

// What Node's HTTP client makes of the bytes; undefined when it refuses them.
async function parseWithNode(text: string) {
  const bytes = Buffer.from(text, "latin1");
  const stream = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done();
      this.push(bytes);
      this.push(null);
    },
  });
  const request = http.request({ createConnection: () => stream });
  const answered = once(request, "response");
  request.on("error", () => {});
  request.end();
  try {
    const [response] = (await answered) as [IncomingMessage];
    let body = "";
    response.setEncoding("latin1");
    for await (const piece of response) body += piece;
    return {
      status: response.statusCode,
      reason: response.statusMessage?.trimEnd(),
      headers: without(response.rawHeaders),
      body,
      trailers: response.rawTrailers,
    };
  } catch {
    return undefined;
  } finally {
    request.destroy();
  }
}
