// The content codings that can be undone, by their names in Content-Encoding.
import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import type { Decoder, DecodeResult } from "./decoder.ts";
import { decodeZstd } from "./zstd.ts";

/** @returns undefined for a coding that is not known */
export function openDecoder(
  coding: string,
  input: Buffer,
): Decoder | undefined {
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return through(() => zlib.createGunzip());
    case "deflate":
      // RFC 9110 section 8.4.1.2 means zlib's format, and some servers send it without its header.
      return through(() =>
        hasZlibHeader(input) ? zlib.createInflate() : zlib.createInflateRaw(),
      );
    case "br":
      return through(() => zlib.createBrotliDecompress());
    case "zstd":
      return createZstdStream ? through(createZstdStream) : decodeZstd;
    default:
      return undefined;
  }
}

function hasZlibHeader([first = 0, second = 0]: Buffer): boolean {
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}

// RFC 9659: a decoder of HTTP need not take windows of more than 8 MB.
const ZSTD_WINDOW_LOG_MAX = 23;

// Node has zstd since 22.15; the types are those of the oldest Node that we run on.
const createZstdStream = ((): (() => Duplex) | undefined => {
  const create: unknown = Reflect.get(zlib, "createZstdDecompress");
  const windowLogMax: unknown = Reflect.get(
    zlib.constants,
    "ZSTD_d_windowLogMax",
  );
  if (typeof create !== "function" || typeof windowLogMax !== "number")
    return undefined;
  return () =>
    create({ params: { [windowLogMax]: ZSTD_WINDOW_LOG_MAX } }) as Duplex;
})();

// In pieces, so that what precedes a broken place comes out before the error does.
const INPUT_PIECE = 16 * 1024;

const through =
  (create: () => Duplex): Decoder =>
  (input, maxBytes) =>
    new Promise((resolve) => {
      const stream = create();
      const chunks: Buffer[] = [];
      let length = 0;
      const end = (stop?: Pick<DecodeResult, "stop" | "reason">): void =>
        resolve({
          bytes: Buffer.concat(chunks, Math.min(length, maxBytes)),
          ...stop,
        });
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length <= maxBytes) return;
        stream.destroy();
        end({ stop: "bound" });
      });
      stream.on("end", () => end());
      stream.on("error", (error) =>
        end({ stop: "broken", reason: error.message }),
      );
      for (let at = 0; at < input.length && stream.writable; at += INPUT_PIECE)
        stream.write(input.subarray(at, at + INPUT_PIECE));
      stream.end();
    });
