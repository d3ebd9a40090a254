// What passes after an upgrade (RFC 9110 section 7.8) or a CONNECT: WebSocket messages, or bytes that nobody reads.
import type { CaptureSink } from "../capture.ts";
import { createFrameReader } from "./frame-reader.ts";
import { headerOf, type OpenCapture } from "./open-capture.ts";
import { createInflater, readDeflateTerms } from "./permessage-deflate.ts";

/** Takes both directions of what a connection has become. Never throws. */
export interface UpgradedTap {
  fromVisitor(bytes: Buffer): void;
  fromUpstream(bytes: Buffer): void;
}

/**
 * @param capture absent when the exchange passes unseen
 * @param onBroken the thread is lost; the rest passes unseen
 */
export function tapUpgraded(
  capture: OpenCapture | undefined,
  sink: CaptureSink,
  onBroken: (reason: string) => void,
): UpgradedTap {
  if (!capture) return { fromVisitor() {}, fromUpstream() {} };
  const protocol = headerOf(capture.responseHead, "upgrade");
  if (protocol?.trim().toLowerCase() !== "websocket")
    return {
      fromVisitor: (bytes) => capture.request.add(bytes),
      fromUpstream: (bytes) => capture.response.add(bytes),
    };
  capture.kind = "websocket";
  sink.changed(capture);
  return tapWebSocket(capture, sink, onBroken);
}

function tapWebSocket(
  capture: OpenCapture,
  sink: CaptureSink,
  onBroken: (reason: string) => void,
): UpgradedTap {
  const terms = readDeflateTerms(
    headerOf(capture.responseHead, "sec-websocket-extensions"),
  );
  const read = (direction: "in" | "out") => {
    const inflater = terms && createInflater(terms[direction]);
    const reader = createFrameReader({
      compression: terms !== undefined,
      wanted: () => capture.wantsMessages,
      hold: (bytes) => capture.holdPiece(bytes),
      drop: (bytes) => capture.dropPieces(bytes),
      message(message) {
        const { type, bytes, payload, frames, compressed, closeCode } = message;
        const plain =
          compressed && capture.wantsMessages
            ? inflater?.inflate(payload, bytes)
            : undefined;
        capture.addMessage({
          direction,
          // What could not be inflated is no text.
          type: compressed && !plain ? "binary" : type,
          bytes: plain?.length ?? bytes,
          payload: plain ?? payload,
          closeCode,
          frames: frames > 1 ? frames : undefined,
          compressed: compressed || undefined,
        });
        sink.changed(capture);
      },
    });
    return (bytes: Buffer): void => {
      if (capture.state !== "open") return;
      const side = direction === "in" ? capture.request : capture.response;
      side.count(bytes.length);
      const fault = reader.read(bytes);
      if (fault !== undefined) onBroken(fault);
    };
  };
  return { fromVisitor: read("in"), fromUpstream: read("out") };
}
