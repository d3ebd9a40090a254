// The stream of `request` messages to one session. It is for eyes: bounded in rate, and never in the way of a request.
import type { EdgeMessage, MessageStream } from "@expose/protocol";
import type { RequestRecord } from "../access-log/record.ts";

/** Where finished requests of a session's tunnels go. */
export interface RequestFeed {
  /** Whether the client asked for the stream. */
  enabled: boolean;
  /** Tells the feed which number the client gave to a name. */
  name(tunnel: string, id: number): void;
  /** Forgets a name: a session may open and close tunnels without end. */
  forget(tunnel: string): void;
  push(record: RequestRecord, formatTarget: (target: string) => string): void;
}

// More than this nobody reads, and at 40,000 requests/s the messages would cost more than the requests.
const MAX_EVENTS_PER_SECOND = 500;
// A link that is busy with responses must not queue log lines behind them without end.
const MAX_QUEUED_BYTES = 64 * 1024;
const MAX_VISITOR_LENGTH = 60;

/** Builds the feed of one session. */
export function createRequestFeed(
  stream: MessageStream<EdgeMessage>,
): RequestFeed {
  const ids = new Map<string, number>();
  let windowStart = 0;
  let sentInWindow = 0;
  let dropped = 0;

  return {
    enabled: false,
    name(tunnel, id) {
      ids.set(tunnel, id);
    },
    forget(tunnel) {
      ids.delete(tunnel);
    },
    push(record, formatTarget) {
      const id = ids.get(record.tunnel ?? "");
      if (id === undefined) return;
      const second = Math.floor((record.startedAt + record.totalMs) / 1_000);
      if (second !== windowStart) {
        windowStart = second;
        sentInWindow = 0;
      }
      if (
        sentInWindow >= MAX_EVENTS_PER_SECOND ||
        stream.queuedBytes > MAX_QUEUED_BYTES
      ) {
        dropped++;
        return;
      }
      sentInWindow++;
      stream.send({
        t: "request",
        id,
        method: record.method.slice(0, 40),
        path: formatTarget(record.target).slice(0, 1_000),
        status: record.status,
        ms: Math.round(record.totalMs * 10) / 10,
        visitor: record.visitor.slice(0, MAX_VISITOR_LENGTH),
        bytesIn: record.bytesIn,
        bytesOut: record.bytesOut,
        ...(record.error && { error: record.error }),
        ...(dropped > 0 && { dropped }),
      });
      dropped = 0;
    },
  };
}
