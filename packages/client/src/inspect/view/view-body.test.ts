import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { viewBody } from "./view-body.ts";

const view = (type: string | undefined, body: string | Buffer, cut = false) =>
  viewBody(type, undefined, Buffer.from(body), cut);

describe("JSON", () => {
  const json = (text: string, cut = false) =>
    view("application/json", text, cut);

  test("keeps numbers, strings, order and doubles of keys as they were written", async () => {
    const { text, error } = await json(
      '{"id":12345678901234567890,"n":1.0e+2,"n":-0,"s":"\\u00e9\\/","a":[1,[],{}],"t":true,"x":null}',
    );
    expect(error).toBeUndefined();
    expect(text).toBe(
      [
        "{",
        '  "id": 12345678901234567890,',
        '  "n": 1.0e+2,',
        '  "n": -0,',
        '  "s": "\\u00e9\\/",',
        '  "a": [',
        "    1,",
        "    [],",
        "    {}",
        "  ],",
        '  "t": true,',
        '  "x": null',
        "}",
      ].join("\n"),
    );
  });

  test.each([
    ['{"a":1,}', 1, 8, "a comma stands before the closing }"],
    ["[1 2]", 1, 4, "expected a comma or ]"],
    ['{\n  "a": 1,\r\n  b: 2\n}', 3, 3, "expected a key in double quotes"],
    ['{"a" 1}', 1, 6, "expected a colon"],
    ["{'a':1}", 1, 2, "expected a key in double quotes"],
    ["['a']", 1, 2, "strings stand in double quotes"],
    ['["a\nb"]', 1, 4, "control character"],
    ['["\\x"]', 1, 3, "no such escape"],
    ['["abc', 1, 6, "a string is not closed"],
    ['{"a":', 1, 6, "it ends where a value is expected"],
    ["[01]", 1, 3, "expected a comma or ]"],
    ["[NaN]", 1, 2, "expected a value"],
    ["1 2", 1, 3, "something follows the value"],
    ["[1", 1, 3, "expected a comma or ]"],
  ])("%j breaks at line %i, column %i", async (text, line, column, message) => {
    const result = await json(text);
    expect(result).toMatchObject({
      kind: "json",
      text,
      error: { line, column },
    });
    expect(result.error!.message).toContain(message);
  });

  test("that is cut is shown as far as it goes, and is no mistake", async () => {
    const full = '{"a":[1,{"b":"c\\u00e9"},true],"d":"e"}';
    for (let end = 1; end < full.length; end++) {
      const result = await json(full.slice(0, end), true);
      expect(result.error).toBeUndefined();
      expect(result.truncated).toBe(true);
    }
  });

  test("of lines is shown value by value", async () => {
    const { text } = await view("application/x-ndjson", '{"a":1}\n[2]\n');
    expect(text).toBe('{\n  "a": 1\n}\n[\n  2\n]');
  });

  test("that is sent as something else is recognised", async () => {
    expect(
      await view("text/plain; charset=UTF-8", '{"Type":"x"}'),
    ).toMatchObject({ kind: "json", type: "text/plain" });
    expect(await view(undefined, "[1]")).toMatchObject({ kind: "json" });
    expect(await view("text/plain", "[not json]")).toMatchObject({
      kind: "text",
      text: "[not json]",
    });
    expect(await view("application/problem+json", "{}")).toMatchObject({
      kind: "json",
    });
  });

  test("means the same as before, and is judged as JSON.parse judges it", async () => {
    const nearJson = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom("", ",", "]", '"', "\\", "0"))
      .map(([text, at, extra]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + extra + text.slice(place);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), nearJson), async (text) => {
        const result = await json(text);
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          expect(result.error).toBeDefined();
          return;
        }
        expect(result.error).toBeUndefined();
        expect(JSON.parse(result.text!)).toEqual(value);
      }),
      { numRuns: 1_000 },
    );
  });

  test("that is nested too deep, or indents to megabytes, stays within bounds", async () => {
    const deep = await json("[".repeat(100_000));
    expect(deep.error?.message).toContain("256 levels");
    const wide = await json(
      `${"[".repeat(200)}${"1,".repeat(400_000)}1${"]".repeat(200)}`,
    );
    expect(wide.truncated).toBe(true);
    expect(wide.text!.length).toBeLessThan(5_000_000);
  });

  test("of a megabyte lets other work go on", async () => {
    let turns = 0;
    const count = (): void => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    await json(`[${"1,".repeat(400_000)}1]`);
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(20);
  });

  test("with a string of a megabyte is shown", async () => {
    const result = await json(`"${"a".repeat(1_000_000)}"`);
    expect(result.error).toBeUndefined();
    expect(result.text).toHaveLength(1_000_002);
  });
});

describe("XML", () => {
  const xml = (text: string, cut = false) => view("application/xml", text, cut);

  test("is indented, and entities stay as they are written", async () => {
    const { text, error } = await xml(
      '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "yy>">]><a b="1>2"><c>&x; t</c>\n <d/><!-- n --><e></e><f><![CDATA[<g>]]></f></a>',
    );
    expect(error).toBeUndefined();
    expect(text).toBe(
      [
        '<?xml version="1.0"?>',
        '<!DOCTYPE a [<!ENTITY x "yy>">]>',
        '<a b="1>2">',
        "  <c>&x; t</c>",
        "  <d/>",
        "  <!-- n -->",
        "  <e></e>",
        "  <f>",
        "    <![CDATA[<g>]]>",
        "  </f>",
        "</a>",
      ].join("\n"),
    );
  });

  test.each([
    ["<a>\n  <b></a>", 2, 6, "expected </b>"],
    ["<a></a></b>", 1, 8, "closes what is not open"],
    ["<a><b>", 1, 7, "<b> is not closed"],
    ["<a", 1, 1, "is not closed"],
    ["<a>< b/></a>", 1, 4, "begins no tag"],
    ["text", 1, 1, "outside"],
  ])("%j breaks at line %i, column %i", async (text, line, column, message) => {
    const result = await xml(text);
    expect(result).toMatchObject({
      kind: "xml",
      text,
      error: { line, column },
    });
    expect(result.error!.message).toContain(message);
  });

  test("that expands a billion times is only text", async () => {
    const bomb = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">${"<!ENTITY b '&a;&a;&a;'>".repeat(50)}<!ENTITY f SYSTEM "file:///etc/passwd">]><l>&b;&f;</l>`;
    const result = await xml(bomb);
    expect(result.error).toBeUndefined();
    expect(result.text!.length).toBeLessThan(bomb.length * 2);
    expect(result.text).toContain("<l>&b;&f;</l>");
  });

  test("that is nested too deep stays within bounds", async () => {
    const result = await xml("<a>".repeat(100_000));
    expect(result.error?.message).toContain("256 levels");
  });

  test("that is cut is no mistake", async () => {
    expect(await xml("<a><b>text</b><c", true)).toMatchObject({
      text: "<a>\n  <b>text</b>",
      truncated: true,
    });
  });

  test("as SVG is shown as text, never as an image", async () => {
    const result = await view("image/svg+xml", "<svg onload='x()'/>");
    expect(result.kind).toBe("xml");
  });
});

describe("forms", () => {
  test("are decoded, and what is malformed stands for itself", async () => {
    const { kind, fields } = await view(
      "application/x-www-form-urlencoded",
      "a=1&b=%C3%A9+%2B&c&=d&e=%zz%f&a=2&g=%ff",
    );
    expect(kind).toBe("form");
    expect(fields).toEqual([
      { name: "a", value: "1" },
      { name: "b", value: "é +" },
      { name: "c", value: "" },
      { name: "", value: "d" },
      { name: "e", value: "%zz%f" },
      { name: "a", value: "2" },
      { name: "g", value: "\ufffd" },
    ]);
  });

  test("agree with URLSearchParams", async () => {
    const piece = fc.constantFrom(
      "a",
      "=",
      "&",
      "%",
      "41",
      "+",
      "%C3%A9",
      "%e2%82",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 20 }),
        async (pieces) => {
          const text = pieces.join("");
          const { fields } = await view(
            "application/x-www-form-urlencoded",
            text,
          );
          expect(fields!.map(({ name, value }) => [name, value])).toEqual([
            ...new URLSearchParams(`&${text}`),
          ]);
        },
      ),
    );
  });

  test("of too many fields are cut", async () => {
    const result = await view(
      "application/x-www-form-urlencoded",
      "a&".repeat(5_000),
    );
    expect(result.fields).toHaveLength(1_000);
    expect(result.truncated).toBe(true);
  });
});

describe("multipart", () => {
  const type = 'multipart/form-data; boundary="x y"';
  const crlf = (...lines: string[]) => lines.join("\r\n");

  test("is shown part by part", async () => {
    const body = Buffer.concat([
      Buffer.from(
        crlf(
          "preamble",
          "--x y",
          'Content-Disposition: form-data; name="title"',
          "",
          "two",
          "lines --x y",
          "--x y",
          'Content-Disposition: form-data; name="file"; filename="caf\u00e9.bin"',
          "Content-Type: application/octet-stream",
          "",
          "",
        ),
      ),
      Buffer.from([0, 1, 2, 255]),
      Buffer.from("\r\n--x y--\r\nepilogue"),
    ]);
    const result = await view(type, body);
    expect(result.note).toBeUndefined();
    expect(result.parts).toEqual([
      {
        headers: [["Content-Disposition", 'form-data; name="title"']],
        name: "title",
        bytes: 16,
        text: "two\r\nlines --x y",
      },
      {
        headers: [
          [
            "Content-Disposition",
            Buffer.from(
              'form-data; name="file"; filename="caf\u00e9.bin"',
            ).toString("latin1"),
          ],
          ["Content-Type", "application/octet-stream"],
        ],
        name: "file",
        filename: "café.bin",
        type: "application/octet-stream",
        bytes: 4,
        base64: "AAEC/w==",
      },
    ]);
  });

  test("agrees with how FormData is written", async () => {
    const form = new FormData();
    form.append("a", "1");
    form.append("empty", "");
    form.append("file", new Blob(["<b>"], { type: "text/html" }), "b.html");
    const response = new Response(form);
    const result = await view(
      response.headers.get("content-type")!,
      Buffer.from(await response.arrayBuffer()),
    );
    expect(
      result.parts!.map(({ name, filename, text }) => [name, filename, text]),
    ).toEqual([
      ["a", undefined, "1"],
      ["empty", undefined, ""],
      ["file", "b.html", "<b>"],
    ]);
  });

  test.each([
    ["nothing of the kind", "does not occur"],
    ["--x y\r\n\r\nopen", "not closed"],
    ["--x y\r\n\r\n\r\n".repeat(101) + "--x y--", "first 100 parts"],
  ])("%j is told of", async (body, note) => {
    expect((await view(type, body)).note).toContain(note);
  });

  test("of any bytes comes to an end within bounds", async () => {
    const piece = fc.constantFrom(
      "--b",
      "--",
      "\r\n",
      "\n",
      "a: b",
      "\0",
      "x",
      " ",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 60 }),
        async (pieces) => {
          const body = pieces.join("");
          const { parts } = await view("multipart/mixed; boundary=b", body);
          const total = parts!.reduce((sum, { bytes }) => sum + bytes, 0);
          expect(total).toBeLessThanOrEqual(body.length);
        },
      ),
    );
  });
});

describe("images", () => {
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==",
    "base64",
  );
  const pad = Buffer.alloc(40);

  test.each([
    ["image/png", 2, 3, png],
    [
      "image/gif",
      5,
      7,
      Buffer.concat([Buffer.from("GIF89a\x05\0\x07\0", "latin1"), pad]),
    ],
    [
      "image/jpeg",
      640,
      480,
      Buffer.from(
        "ffd8ffe000104a46494600010100000100010000ffc00011080 1e00280030122".replace(
          " ",
          "",
        ) + "00".repeat(20),
        "hex",
      ),
    ],
    [
      "image/webp",
      100,
      50,
      Buffer.concat([
        Buffer.from(
          "RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x63\0\0\x31\0\0",
          "latin1",
        ),
        pad,
      ]),
    ],
  ])(
    "%s is known by its bytes, whatever the header says",
    async (type, width, height, bytes) => {
      expect(await view("text/plain", bytes)).toEqual({
        kind: "image",
        type,
        width,
        height,
        bytes: bytes.length,
      });
    },
  );
});

describe("all else", () => {
  test("nothing is empty", async () => {
    expect(await view("application/json", "")).toEqual({
      kind: "empty",
      bytes: 0,
    });
  });

  test("text is read by its charset", async () => {
    const latin = Buffer.from("caf\u00e9", "latin1");
    expect(await view("text/plain; charset=iso-8859-1", latin)).toMatchObject({
      text: "café",
    });
    const guessed = await view("text/plain", latin);
    expect(guessed).toMatchObject({ text: "café" });
    expect(guessed.note).toContain("windows-1252");
    const unknown = await view("text/plain; charset=klingon", "hi");
    expect(unknown.note).toContain("klingon");
    const utf16 = Buffer.from("\ufeffhé", "utf16le");
    expect(await view("text/plain;charset=utf-16le", utf16)).toMatchObject({
      text: "hé",
    });
  });

  test("a character that the cut divides is left out", async () => {
    const bytes = Buffer.from("caf\u00e9").subarray(0, -1);
    expect(await view("text/plain; charset=utf-8", bytes, true)).toMatchObject({
      text: "caf",
      truncated: true,
    });
  });

  test("HTML is text", async () => {
    expect(await view("text/html", "<script>x</script>")).toMatchObject({
      kind: "text",
      text: "<script>x</script>",
    });
  });

  test("bytes are shown in hex", async () => {
    const bytes = Buffer.from(Array.from({ length: 20 }, (_, i) => i * 13));
    expect((await view("application/octet-stream", bytes)).text).toBe(
      [
        "00000000  00 0d 1a 27 34 41 4e 5b  68 75 82 8f 9c a9 b6 c3  |...'4AN[hu......|",
        "00000010  d0 dd ea f7                                       |....|",
      ].join("\n"),
    );
  });

  test("codings are undone first, and told", async () => {
    const bytes = gzipSync('{"a":1}');
    expect(await viewBody("application/json", "gzip", bytes, false)).toEqual({
      kind: "json",
      type: "application/json",
      text: '{\n  "a": 1\n}',
      decoded: ["gzip"],
      bytes: 7,
    });
  });

  test("a compressed body that was cut in the capture is shown without a complaint", async () => {
    const text = Array.from({ length: 9_000 }, (_, i) => `line ${i * i}`).join(
      "\n",
    );
    const bytes = gzipSync(text);
    const result = await viewBody(
      "text/plain",
      "gzip",
      bytes.subarray(0, bytes.length >> 1),
      true,
    );
    expect(result).toMatchObject({ kind: "text", truncated: true });
    expect(result.note).toBeUndefined();
    expect(text.startsWith(result.text!)).toBe(true);
    expect(result.text!.length).toBeGreaterThan(1_000);
  });

  test("a bomb is shown to the bound", async () => {
    const bomb = brotliCompressSync(Buffer.alloc(100_000_000, "a"), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 5 },
    });
    const result = await viewBody("text/plain", "br", bomb, false);
    expect(result.text).toHaveLength(1024 * 1024);
    expect(result.truncated).toBe(true);
    expect(result.note).toContain("opens to more");
  });

  test("any bytes under any type have a view", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(
          "application/json",
          "text/xml",
          "text/plain",
          "multipart/mixed; boundary=a",
          "image/png",
          "x",
          "",
          ';;="',
          "application/x-www-form-urlencoded",
        ),
        fc.constantFrom("", "gzip", "br", "deflate", "zstd", "x"),
        fc.boolean(),
        async (bytes, type, coding, cut) => {
          const result = await viewBody(type, coding, Buffer.from(bytes), cut);
          expect(() => JSON.stringify(result)).not.toThrow();
        },
      ),
      { numRuns: 500 },
    );
  });
});
