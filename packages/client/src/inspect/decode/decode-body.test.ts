import zlib, {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
} from "node:zlib";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { decodeBody } from "./decode-body.ts";
import { decodeZstd } from "./zstd.ts";

const text = Buffer.from("hello, hello, hello and good-bye. ".repeat(200));

// Made by the zstd program: Node 20 has no compressor of it.
const zstdHello = Buffer.from(
  "KLUv/QRYlQAAYGhlbGxvIHpzdGQsIAEAV0oSgWMKYg==",
  "base64",
);
const hello = "hello zstd, hello zstd, hello zstd";

describe("one coding", () => {
  test.each([
    ["gzip", gzipSync(text)],
    ["x-gzip", gzipSync(text)],
    ["GZip ", gzipSync(text)],
    ["deflate", deflateSync(text)],
    ["deflate", deflateRawSync(text)],
    ["br", brotliCompressSync(text)],
  ])("%s is undone", async (coding, bytes) => {
    const body = await decodeBody(bytes, coding);
    expect(body).toEqual({
      bytes: text,
      decoded: [coding.trim().toLowerCase()],
      truncated: false,
    });
  });

  test("zstd is undone", async () => {
    const body = await decodeBody(zstdHello, "zstd");
    expect(body.bytes.toString()).toBe(hello);
    expect(body).toMatchObject({ decoded: ["zstd"], truncated: false });
  });

  test("zstd is undone without Node's help too", async () => {
    expect(await decodeZstd(zstdHello, 1_000)).toEqual({
      bytes: Buffer.from(hello),
    });
  });

  test.each([undefined, "", "identity", " , "])(
    "%j leaves the body alone",
    async (coding) => {
      const body = await decodeBody(text, coding);
      expect(body).toEqual({ bytes: text, decoded: [], truncated: false });
    },
  );
});

describe("several codings", () => {
  test("are undone from the last to the first", async () => {
    const bytes = brotliCompressSync(gzipSync(deflateSync(text)));
    const body = await decodeBody(bytes, "deflate, gzip, br");
    expect(body.bytes).toEqual(text);
    expect(body.decoded).toEqual(["br", "gzip", "deflate"]);
  });

  test("that are too many are left alone", async () => {
    const body = await decodeBody(text, Array(50_000).fill("gzip").join(","));
    expect(body.bytes).toBe(text);
    expect(body.note).toContain("more than 4 codings");
  });

  test("end at one that is not known", async () => {
    const body = await decodeBody(gzipSync(text), "compress, gzip");
    expect(body).toMatchObject({ bytes: text, decoded: ["gzip"] });
    expect(body.note).toContain("compress");
  });
});

describe("bombs", () => {
  const large = Buffer.alloc(200_000_000);

  test("a few bytes of brotli that open to 200 MB stop at the bound", async () => {
    const bomb = brotliCompressSync(large, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 5 },
    });
    expect(bomb.length).toBeLessThan(400);
    const opened = vi.spyOn(zlib, "createBrotliDecompress");
    onTestFinished(() => opened.mockRestore());
    const body = await decodeBody(bomb, "br", 1_000_000);
    expect(body.bytes.length).toBe(1_000_000);
    // Nobody decodes the rest.
    expect(opened.mock.results[0]?.value).toMatchObject({ destroyed: true });
    expect(body.truncated).toBe(true);
    expect(body.note).toContain("opens to more than 1000000 bytes");
  });

  test("gzip in gzip stops at the bound on each step", async () => {
    const bomb = gzipSync(gzipSync(large));
    const body = await decodeBody(bomb, "gzip, gzip", 100_000);
    expect(body.bytes.length).toBeLessThanOrEqual(100_000);
    expect(body.truncated).toBe(true);
  });

  test("6 kB of zstd that open to 200 MB stop at the bound", async () => {
    // A frame with a window of 1 MB, and run-length blocks of 128 KiB each.
    const blocks = Array.from({ length: 1_600 }, () =>
      block(1, 128 * 1024, [0x41]),
    );
    const bomb = frame(0x50, blocks);
    for (const decode of [decodeZstd, viaDecodeBody]) {
      const body = await decode(bomb, 1_000_000);
      expect(body.bytes.length).toBe(1_000_000);
    }
  });

  test("a zstd window of more than 8 MB is refused before it is allocated", async () => {
    const body = await decodeZstd(frame(0xa0, [block(1, 5, [0x41])]), 1_000);
    expect(body).toMatchObject({ stop: "broken" });
    expect(body.reason).toContain("8 MB");
    const second = Buffer.concat([zstdHello, frame(0xa0, [block(1, 5, [65])])]);
    expect((await decodeZstd(second, 1_000)).reason).toContain("8 MB");
  });

  test("tiny zstd blocks in a large window cost no more than the budget", async () => {
    const blocks = Array.from({ length: 100_000 }, () => block(1, 1, [0x41]));
    const before = performance.now();
    const body = await decodeZstd(frame(0x68, blocks), 1_000_000);
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(body.reason).toContain("too long");
  });

  const viaDecodeBody = (bytes: Buffer, maxBytes: number) =>
    decodeBody(bytes, "zstd", maxBytes);

  // RFC 8878 section 3.1.1.
  function frame(windowDescriptor: number, blocks: Buffer[]): Buffer {
    return Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, windowDescriptor]),
      ...blocks,
      block(0, 0, [], true),
    ]);
  }

  function block(type: number, size: number, data: number[], last = false) {
    const header = Buffer.alloc(3);
    header.writeUIntLE((size << 3) | (type << 1) | Number(last), 0, 3);
    return Buffer.concat([header, Buffer.from(data)]);
  }
});

describe("input that is cut or broken", () => {
  // Hardly compressible, and always the same.
  let state = 1;
  const random = Buffer.from(
    Array.from({ length: 200_000 }, () => {
      state = (state * 48_271) % 0x7fffffff;
      return state & 0xff;
    }),
  );

  test.each([
    ["gzip", gzipSync(random)],
    ["deflate", deflateSync(random)],
    ["br", brotliCompressSync(random)],
  ])("%s decodes as far as it goes", async (coding, bytes) => {
    const body = await decodeBody(bytes.subarray(0, -100), coding);
    expect(body.truncated).toBe(true);
    expect(body.bytes.length).toBeGreaterThan(random.length / 2);
    expect(random.subarray(0, body.bytes.length)).toEqual(body.bytes);
    expect(body.note).toContain(`${coding} data ends or breaks`);
  });

  test("what was never encoded comes back as it was", async () => {
    const body = await decodeBody(text, "gzip");
    expect(body).toMatchObject({ bytes: text, decoded: [], truncated: false });
    expect(body.note).toContain("not valid gzip");
  });

  test("any bytes in any coding come to an end", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom("gzip", "deflate", "br", "zstd"),
        fc.boolean(),
        async (noise, coding, plausible) => {
          const bytes = Buffer.concat([
            plausible && coding === "zstd"
              ? zstdHello.subarray(0, 6)
              : text.subarray(0, 0),
            noise,
          ]);
          const body = await decodeBody(bytes, coding, 10_000);
          expect(body.bytes.length).toBeLessThanOrEqual(10_000);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("every cut of a zstd frame gives a beginning of its text", async () => {
    for (let end = 0; end < zstdHello.length; end++) {
      const { bytes } = await decodeZstd(zstdHello.subarray(0, end), 1_000);
      expect(hello.startsWith(bytes.toString())).toBe(true);
    }
  });
});
