// Recognises images by their first bytes, whatever Content-Type says, and reads their size. SVG is XML and shown as such.

/** What the bytes say of an image. */
export interface ImageFacts {
  readonly type: string;
  /** Pixels, where they are easy to find. */
  readonly width?: number;
  readonly height?: number;
}

/** @returns undefined when it is no image of a known kind */
export function readImage(bytes: Buffer): ImageFacts | undefined {
  if (bytes.length < MIN_LENGTH) return undefined;
  const text = (from: number, to: number): string =>
    bytes.toString("latin1", from, to);
  if (text(0, 8) === "\x89PNG\r\n\x1a\n")
    return {
      type: "image/png",
      width: bytes.readUInt32BE(16),
      height: bytes.readUInt32BE(20),
    };
  if (text(0, 6) === "GIF87a" || text(0, 6) === "GIF89a")
    return {
      type: "image/gif",
      width: bytes.readUInt16LE(6),
      height: bytes.readUInt16LE(8),
    };
  if (text(0, 3) === "\xff\xd8\xff")
    return { type: "image/jpeg", ...readJpegSize(bytes) };
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP")
    return { type: "image/webp", ...readWebpSize(bytes) };
  if (text(4, 8) === "ftyp" && /^avi[fs]$/.test(text(8, 12)))
    return { type: "image/avif" };
  if (text(0, 4) === "\0\0\x01\0" && bytes[4] !== 0 && bytes[5] === 0)
    return {
      type: "image/x-icon",
      width: bytes[6]! || 256,
      height: bytes[7]! || 256,
    };
  if (
    text(0, 2) === "BM" &&
    bytes.readUInt32LE(6) === 0 &&
    bytes.readUInt32LE(14) === 40
  )
    return {
      type: "image/bmp",
      width: bytes.readInt32LE(18),
      height: Math.abs(bytes.readInt32LE(22)),
    };
  return undefined;
}

const MIN_LENGTH = 30;

type Size = Pick<ImageFacts, "width" | "height">;

// Goes from marker to marker until a frame header, SOF0 to SOF15 without DHT, JPG and DAC (ITU T.81 table B.1).
function readJpegSize(bytes: Buffer): Size {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!;
    if (
      marker >= 0xc0 &&
      marker <= 0xcf &&
      ![0xc4, 0xc8, 0xcc].includes(marker)
    )
      return {
        height: bytes.readUInt16BE(at + 5),
        width: bytes.readUInt16BE(at + 7),
      };
    at += 2 + Math.max(2, bytes.readUInt16BE(at + 2));
  }
  return {};
}

// RFC 9649 sections 2.5 to 2.7.
function readWebpSize(bytes: Buffer): Size {
  switch (bytes.toString("latin1", 12, 16)) {
    case "VP8 ":
      return {
        width: bytes.readUInt16LE(26) & 0x3fff,
        height: bytes.readUInt16LE(28) & 0x3fff,
      };
    case "VP8L": {
      const bits = bytes.readUInt32LE(21);
      return {
        width: (bits & 0x3fff) + 1,
        height: ((bits >> 14) & 0x3fff) + 1,
      };
    }
    case "VP8X":
      return {
        width: bytes.readUIntLE(24, 3) + 1,
        height: bytes.readUIntLE(27, 3) + 1,
      };
    default:
      return {};
  }
}
