// What terms are held against: an exchange, and a search in its bodies that reads each of them once, if at all.
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import type { Exchange, HeaderLine } from "@expose/protocol";
import type { StoredBodies } from "../capture.ts";
import { valueOf } from "../header-values.ts";

/** One compiled term. */
export interface Term {
  readonly needsBodies: boolean;
  holds(subject: Subject): boolean;
}

export interface Subject {
  readonly exchange: Exchange;
  readonly search: BodySearch;
}

/** Whether one of the two bodies contains a text, in either case for ASCII letters. */
export type BodySearch = (needle: Needle) => boolean;

/** A text to look for, made comparable once. */
export interface Needle {
  readonly folded: string;
  readonly bytes: string;
}

export const createNeedle = (text: string): Needle => ({
  folded: text.toLowerCase(),
  bytes: foldBytes(Buffer.from(text)),
});

export function createBodySearch(
  exchange: Exchange,
  bodies: () => StoredBodies,
): BodySearch {
  let texts: string[] | undefined;
  return ({ bytes }) => {
    if (!texts) {
      const { request, response } = bodies();
      texts = [
        foldBytes(decode(request, exchange.request?.headers)),
        foldBytes(decode(response, exchange.response?.headers)),
      ];
    }
    return texts.some((text) => text.includes(bytes));
  };
}

// One character a byte: needle and body are folded alike, so a match is a match of bytes, whatever their charset.
const foldBytes = (bytes: Buffer): string =>
  bytes.toString("latin1").toLowerCase();

// A search goes over many bodies between two turns of the event loop, so that each may open only so far.
const MAX_DECODED_BYTES = 256 * 1024;
const MAX_ENCODED_BYTES = 256 * 1024;

function decode(body: Buffer, headers: readonly HeaderLine[] = []): Buffer {
  const coding = valueOf(headers, "content-encoding")?.trim().toLowerCase();
  const undo = coding === undefined ? undefined : DECODERS.get(coding);
  if (!undo || body.length > MAX_ENCODED_BYTES) return body;
  try {
    return undo(body);
  } catch {
    // Broken, cut, or opens too far: the bytes as they passed are what can be searched.
    return body;
  }
}

const bounds = { maxOutputLength: MAX_DECODED_BYTES };
const DECODERS = new Map<string, (body: Buffer) => Buffer>([
  ["gzip", (body) => gunzipSync(body, bounds)],
  ["x-gzip", (body) => gunzipSync(body, bounds)],
  ["deflate", (body) => inflateSync(body, bounds)],
  ["br", (body) => brotliDecompressSync(body, bounds)],
]);
