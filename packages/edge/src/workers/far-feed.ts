// Tells the process that has a tunnel's session of requests that were served here, when its client wants to see them.
import type { RequestObserver } from "../access-log/record.ts";
import type { LiveTunnel } from "../routes/live-tunnel.ts";
import type { Channel } from "./channel.ts";
import type { ToPrimary, WireRecords } from "./messages.ts";
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

// They are for eyes. One message for all of them costs less than one for each.
const BATCH_DELAY_MS = 20;

/** Builds the feed. */
export function createFarFeed({
  named,
  book,
  channel,
}: FarFeedOptions): RequestObserver {
  const sent = new WeakMap<LiveTunnel, { second: number; count: number }>();
  let batch: WireRecords["records"][number][] = [];

  function flush(): void {
    const records = batch;
    batch = [];
    channel.tell({ t: "records", records });
  }

  return (record) => {
    if (record.tunnel === undefined) return;
    const tunnel = named(record.tunnel);
    if (!tunnel?.watched || book.isOwn(tunnel)) return;
    const second = Math.floor((record.startedAt + record.totalMs) / 1_000);
    let window = sent.get(tunnel);
    if (window?.second !== second)
      sent.set(tunnel, (window = { second, count: 0 }));
    if (++window.count > MAX_RECORDS_PER_SECOND) return;
    if (batch.length === 0) setTimeout(flush, BATCH_DELAY_MS).unref();
    batch.push({
      tunnel: book.numberOf(tunnel),
      record: { ...record, rawHeaders: [] },
    });
  };
}
