// Puts the WebSocket frames of one direction together to messages (RFC 6455 section 5).

import { createByteList, type ByteList } from "./byte-list.ts";

/** A message as its frames brought it, unmasked and not inflated. */
export interface FramedMessage {
  readonly type: "text" | "binary" | "ping" | "pong" | "close";
  /** Of the whole payload. */
  readonly bytes: number;
  /** Its beginning. */
  readonly payload: Buffer;
  readonly frames: number;
  readonly compressed: boolean;
  readonly closeCode: number | undefined;
}

export interface FrameReader {
  /** Never throws. @returns why the thread is lost, at most once; nothing is read afterwards */
  read(bytes: Buffer): string | undefined;
}

export interface FrameReaderOptions {
  /** Whether RSV1 has been given a meaning (RFC 7692). */
  readonly compression: boolean;
  /** Whether the payload of a message that begins now is of interest. */
  wanted(): boolean;
  /** Makes room for a piece of it. @returns how many of its bytes may be kept */
  hold(bytes: number): number;
  /** What was kept is not needed any more: the message is told now. */
  drop(bytes: number): void;
  message(message: FramedMessage): void;
}

// Of a message. A compressed one needs all of it to be opened.
const MAX_PAYLOAD_BYTES = 1_024 * 1_024;
const OPCODES: Readonly<Record<number, FramedMessage["type"]>> = {
  1: "text",
  2: "binary",
  8: "close",
  9: "ping",
  10: "pong",
};

interface Assembly {
  readonly type: FramedMessage["type"];
  readonly compressed: boolean;
  /** Whether what comes of it is kept. */
  wanted: boolean;
  readonly payload: ByteList;
  bytes: number;
  frames: number;
}

export function createFrameReader(options: FrameReaderOptions): FrameReader {
  // A header has at most 14 bytes; it may come in pieces.
  const header = Buffer.alloc(14);
  let headerBytes = 0;
  let left = -1;
  let isFinal = false;
  let mask: Buffer | undefined;
  let maskAt = 0;
  /** The message of data that is coming; frames of control may come in between. */
  let data: Assembly | undefined;
  let current: Assembly | undefined;
  let lost = false;

  return {
    read(bytes) {
      if (lost) return undefined;
      let at = 0;
      while (at < bytes.length) {
        if (left >= 0) {
          at = readPayload(bytes, at);
          continue;
        }
        header[headerBytes++] = bytes[at++]!;
        if (headerBytes < 2 || headerBytes < headerLength()) continue;
        const fault = beginFrame();
        if (fault !== undefined) {
          lost = true;
          data = current = undefined;
          return fault;
        }
        if (left === 0) endFrame();
      }
      return undefined;
    },
  };

  function headerLength(): number {
    const short = header[1]! & 0x7f;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    return 2 + extended + (header[1]! & 0x80 ? 4 : 0);
  }

  function beginFrame(): string | undefined {
    const bits = header[0]!;
    const opcode = bits & 0x0f;
    const length = payloadLength();
    isFinal = (bits & 0x80) !== 0;
    const compressed = (bits & 0x40) !== 0;
    if ((bits & 0x30) !== 0 || (compressed && !options.compression))
      return "A WebSocket frame uses an extension that is not known here.";
    if (length > Number.MAX_SAFE_INTEGER)
      return "A WebSocket frame has an impossible length.";
    const fault =
      opcode === 0
        ? continueData(compressed)
        : startMessage(opcode, length, compressed);
    if (fault !== undefined) return fault;
    mask =
      (header[1]! & 0x80) !== 0
        ? Buffer.from(header.subarray(headerBytes - 4, headerBytes))
        : undefined;
    maskAt = 0;
    headerBytes = 0;
    left = length;
    current!.frames++;
    current!.bytes += length;
    return undefined;
  }

  function continueData(compressed: boolean): string | undefined {
    if (!data || compressed)
      return "A WebSocket frame continues a message that has not begun.";
    current = data;
    return undefined;
  }

  function startMessage(
    opcode: number,
    length: number,
    compressed: boolean,
  ): string | undefined {
    const type = OPCODES[opcode];
    if (type === undefined) return "A WebSocket frame is of no known kind.";
    const isControl = opcode >= 8;
    if (isControl ? !isFinal || length > 125 || compressed : data)
      return "A WebSocket frame stands where it must not.";
    current = {
      ...{ type, compressed, wanted: options.wanted() },
      ...{ payload: createByteList(), bytes: 0, frames: 0 },
    };
    if (!isControl) data = current;
    return undefined;
  }

  function payloadLength(): number {
    const short = header[1]! & 0x7f;
    if (short === 126) return header.readUInt16BE(2);
    if (short === 127) return Number(header.readBigUInt64BE(2));
    return short;
  }

  function readPayload(bytes: Buffer, at: number): number {
    const length = Math.min(left, bytes.length - at);
    const message = current!;
    const room = Math.min(length, MAX_PAYLOAD_BYTES - message.payload.length);
    const keep = message.wanted ? options.hold(room) : 0;
    // It is the beginning that is kept, without a gap.
    if (keep < room) message.wanted = false;
    if (keep > 0) {
      const piece = Buffer.from(bytes.subarray(at, at + keep));
      if (mask) unmask(piece, mask, maskAt);
      message.payload.add(piece);
    }
    maskAt = (maskAt + length) % 4;
    left -= length;
    if (left === 0) endFrame();
    return at + length;
  }

  function endFrame(): void {
    left = -1;
    const message = current!;
    if (!isFinal) return;
    if (message === data) data = undefined;
    const { type, bytes, frames, compressed } = message;
    const all = Buffer.concat(message.payload.pieces());
    options.drop(all.length);
    const hasCode = type === "close" && all.length >= 2;
    options.message({
      ...{ type, bytes, frames, compressed },
      closeCode: hasCode ? all.readUInt16BE(0) : undefined,
      payload: hasCode ? all.subarray(2) : all,
    });
  }
}

function unmask(bytes: Buffer, mask: Buffer, from: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= mask[(from + i) & 3]!;
}
