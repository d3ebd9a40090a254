// Tells the worker that has a tunnel's session of requests that were served here, when its client wants to see them.
import type { RequestObserver } from "../access-log/record.ts";
import type { LiveTunnel } from "../routes/live-tunnel.ts";
import type { Channel } from "./channel.ts";
import type { ToPrimary } from "./messages.ts";
import type { RemoteBook } from "./remote-book.ts";

/** What the feed needs. */
export interface FarFeedOptions {
  /** The open tunnel of a name. */
  readonly named: (name: string) => LiveTunnel | undefined;
  readonly book: Pick<RemoteBook, "isOwn" | "numberOf">;
  readonly channel: Pick<Channel<ToPrimary>, "tell">;
}

// Twice what is shown of a tunnel: those above it are counted as not shown, and what is beyond nobody counts.
const MAX_RECORDS_PER_SECOND = 1_000;

/** Builds the feed. */
export function createFarFeed({
  named,
  book,
  channel,
}: FarFeedOptions): RequestObserver {
  const sent = new WeakMap<LiveTunnel, { second: number; count: number }>();

  return (record) => {
    if (record.tunnel === undefined) return;
    const tunnel = named(record.tunnel);
    if (!tunnel?.watched || book.isOwn(tunnel)) return;
    const second = Math.floor((record.startedAt + record.totalMs) / 1_000);
    let window = sent.get(tunnel);
    if (window?.second !== second)
      sent.set(tunnel, (window = { second, count: 0 }));
    if (++window.count > MAX_RECORDS_PER_SECOND) return;
    channel.tell({
      t: "record",
      tunnel: book.numberOf(tunnel),
      record: { ...record, rawHeaders: [] },
    });
  };
}
