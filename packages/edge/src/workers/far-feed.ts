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

// Of one tunnel: a little more than is shown, so that some are counted as left out. Of all tunnels: what keeps the primary,
// which passes them on, free for other things.
const MAX_OF_TUNNEL_PER_SECOND = 600;
const MAX_PER_SECOND = 2_000;

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
  let thisSecond = 0;
  let sentInAll = 0;

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
    if (second !== thisSecond) [thisSecond, sentInAll] = [second, 0];
    if (sentInAll >= MAX_PER_SECOND) return;
    if (++window.count > MAX_OF_TUNNEL_PER_SECOND) return;
    sentInAll++;
    if (batch.length === 0) setTimeout(flush, BATCH_DELAY_MS).unref();
    batch.push({
      tunnel: book.numberOf(tunnel),
      record: { ...record, rawHeaders: [] },
    });
  };
}
