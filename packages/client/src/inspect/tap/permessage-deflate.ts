// Undoes the compression of WebSocket messages (RFC 7692), within bounds.
import { constants, inflateRawSync } from "node:zlib";

/** Whether one message's window goes on into the next, for each direction. */
export interface DeflateTerms {
  readonly in: { readonly takesOver: boolean };
  readonly out: { readonly takesOver: boolean };
}

/** Inflates the messages of one direction, in order. */
export interface Inflater {
  /**
   * @param bytes of the whole message; more than the payload when it was cut
   * @returns undefined when it cannot be inflated: cut, too large, or what came before it is missing
   */
  inflate(payload: Buffer, bytes: number): Buffer | undefined;
}

// A kilobyte of zeros opens to a megabyte. What is larger than this is shown compressed.
const MAX_INFLATED_BYTES = 1_024 * 1_024;
const MAX_FAILURES = 3;
const WINDOW_BYTES = 32 * 1_024;
// RFC 7692 section 7.2.2: what the sender has taken off.
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/**
 * @param accepted value of Sec-WebSocket-Extensions in the response
 * @returns undefined when messages are not compressed
 */
export function readDeflateTerms(
  accepted: string | undefined,
): DeflateTerms | undefined {
  const offer = accepted
    ?.split(",")
    .map((extension) =>
      extension.split(";").map((part) => part.trim().toLowerCase()),
    )
    .find(([name]) => name === "permessage-deflate");
  if (!offer) return undefined;
  return {
    in: { takesOver: !offer.includes("client_no_context_takeover") },
    out: { takesOver: !offer.includes("server_no_context_takeover") },
  };
}

export function createInflater({
  takesOver,
}: {
  takesOver: boolean;
}): Inflater {
  let window: Buffer = Buffer.alloc(0);
  let lost = false;
  let failures = 0;
  return {
    inflate(payload, bytes) {
      if (lost) return undefined;
      const plain = payload.length < bytes ? undefined : open(payload, window);
      // Opening a megabyte for nothing takes milliseconds, which somebody may want us to spend on each message.
      if (!plain && ++failures >= MAX_FAILURES) lost = true;
      if (!takesOver) return plain;
      if (!plain) lost = true;
      // The sender refers to what it has sent before: the last 32 KiB are a dictionary for what follows.
      else window = lastBytes(window, plain);
      return plain;
    },
  };
}

function open(payload: Buffer, window: Buffer): Buffer | undefined {
  try {
    return inflateRawSync(Buffer.concat([payload, TAIL]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: MAX_INFLATED_BYTES,
      ...(window.length > 0 && { dictionary: window }),
    });
  } catch {
    // Too large, or no deflate: said by the message being shown as it passed.
    return undefined;
  }
}

const lastBytes = (before: Buffer, added: Buffer): Buffer =>
  added.length >= WINDOW_BYTES
    ? Buffer.from(added.subarray(added.length - WINDOW_BYTES))
    : Buffer.concat([before, added]).subarray(-WINDOW_BYTES);
