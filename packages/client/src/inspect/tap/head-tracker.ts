// Finds the ends of messages that are not captured, so that capturing can begin again with the message after them.
// Not a parser: it believes what it reads, and costs a fraction of one. What it gets wrong ends the capture of that
// connection, and nothing else.

/** Reads a message's head, and its body if that is chunked. */
export interface HeadTracker {
  /**
   * @returns index of the first byte behind the head or the chunked body; the chunk's length while neither is over
   * @throws Error when there is no sense in it
   */
  read(chunk: Buffer, from: number): number;
}

const MAX_HEAD_BYTES = 256 * 1_024;
const MAX_LINE_BYTES = 16 * 1_024;
const END_OF_HEAD = Buffer.from("\r\n\r\n");
// Where heads differ all the same, comparing them costs more than it saves.
const MAX_MISSES = 16;
const LF = 0x0a;
const CR = 0x0d;

/**
 * @param onHead is given start line and fields as ISO 8859-1, each with its CRLF; returns whether a chunked body
 *   follows that is to be read
 * @param onEnd a chunked body is over
 */
export function createHeadTracker(
  onHead: (head: string) => boolean,
  onEnd: () => void,
): HeadTracker {
  let state: "head" | "size" | "data" | "trailers" = "head";
  // What there is of the head or line that is being read.
  let text = "";
  // The last head that came in one piece. Under load both sides say the same again and again; then it is the very same
  // string, and whoever knows what is in it need not look again.
  let misses = 0;
  let lastBytes: Buffer | undefined;
  let lastText = "";
  // Bytes of the chunk and its CRLF that still come.
  let left = 0;

  return {
    read(chunk, from) {
      let at = from;
      if (state === "head") at = readHead(chunk, at);
      while (state !== "head" && at < chunk.length)
        at = state === "data" ? skip(chunk, at) : readLine(chunk, at);
      return at;
    },
  };

  function readHead(chunk: Buffer, from: number): number {
    let at = from;
    // RFC 9112 section 2.2: empty lines before a start line are to be ignored.
    if (text === "") while (chunk[at] === CR || chunk[at] === LF) at++;
    if (text === "") {
      const end = chunk.indexOf(END_OF_HEAD, at);
      if (end >= 0) return takeHead(textOf(chunk, at, end + 2), end + 4);
    }
    const before = text.length;
    text += chunk.toString("latin1", at);
    const end = text.indexOf("\r\n\r\n", Math.max(0, before - 3));
    if (end < 0) {
      if (text.length > MAX_HEAD_BYTES)
        throw new Error("The head is too long.");
      return chunk.length;
    }
    const head = text.slice(0, end + 2);
    text = "";
    return takeHead(head, at + end + 4 - before);
  }

  function textOf(chunk: Buffer, from: number, to: number): string {
    if (misses > MAX_MISSES) return chunk.toString("latin1", from, to);
    if (
      lastBytes?.length !== to - from ||
      lastBytes.compare(chunk, from, to) !== 0
    ) {
      misses++;
      lastBytes = Buffer.from(chunk.subarray(from, to));
      lastText = lastBytes.toString("latin1");
    } else misses = 0;
    return lastText;
  }

  function takeHead(head: string, next: number): number {
    if (onHead(head)) state = "size";
    return next;
  }

  function skip(chunk: Buffer, at: number): number {
    const bytes = Math.min(left, chunk.length - at);
    left -= bytes;
    if (left === 0) state = "size";
    return at + bytes;
  }

  function readLine(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(LF, at);
    text += chunk.toString("latin1", at, end < 0 ? chunk.length : end);
    if (text.length > MAX_LINE_BYTES)
      throw new Error("A line of a chunked body is too long.");
    if (end < 0) return chunk.length;
    const line = text.replace(/\r$/, "");
    text = "";
    if (state === "size") takeSize(line);
    else if (line === "") {
      state = "head";
      onEnd();
    }
    return end + 1;
  }

  // RFC 9112 section 7.1; extensions are of no interest.
  function takeSize(line: string): void {
    const digits = /^([0-9a-f]{1,13})[ \t]*(?:;|$)/i.exec(line)?.[1];
    if (digits === undefined) throw new Error("A chunk has no size.");
    const size = parseInt(digits, 16);
    state = size === 0 ? "trailers" : "data";
    left = size + 2;
  }
}
