// The exchanges of this run, complete with their secrets, oldest out first.
import type { WebhookFacts } from "@expose/protocol";
import type { Capture } from "../capture.ts";

/** One exchange in memory. */
export interface MemoryRecord {
  readonly capture: Capture;
  webhook: WebhookFacts | undefined;
  /** Whether somebody has looked what webhook it is. */
  explained: boolean;
  finished: boolean;
  bytes: number;
}

/** Bounds of what is kept; it may be a twentieth more for a moment. */
export interface MemoryLimits {
  readonly maxExchanges: number;
  readonly maxBytes: number;
}

/** The exchanges of this run. Of those that it lets go the memory is the caller's to release, with `takeGone`. */
export interface Memory {
  open(capture: Capture): MemoryRecord;
  get(id: string): MemoryRecord | undefined;
  /** Counts what a finished exchange holds, and lets the oldest finished ones go. */
  finish(record: MemoryRecord): void;
  /** Newest first. */
  newestFirst(): Iterable<MemoryRecord>;
  clear(): void;
  /** @returns those that were let go since it was last asked */
  takeGone(): readonly MemoryRecord[];
  readonly size: number;
  readonly bytes: number;
}

// Headers, timings and the objects around them, as measured with a browser's requests.
const SLACK = 1.05;
const USUAL_HEAD_BYTES = 1_024;
const BYTES_PER_EXCHANGE = 6 * 1_024;

export function createMemory({ maxExchanges, maxBytes }: MemoryLimits): Memory {
  const records = new Map<string, MemoryRecord>();
  let bytes = 0;
  let gone: MemoryRecord[] = [];

  // Many at a time: a map that has lost its first entries is walked through from where they were.
  function evict(): void {
    if (records.size <= maxExchanges * SLACK && bytes <= maxBytes * SLACK)
      return;
    for (const [id, record] of records) {
      if (records.size <= maxExchanges && bytes <= maxBytes) return;
      // One that is open is still being written to, and the tap bounds those.
      if (!record.finished) continue;
      records.delete(id);
      bytes -= record.bytes;
      gone.push(record);
    }
  }

  return {
    open(capture) {
      const record: MemoryRecord = {
        capture,
        webhook: undefined,
        explained: false,
        finished: false,
        bytes: 0,
      };
      records.set(capture.id, record);
      return record;
    },
    get: (id) => records.get(id),
    finish(record) {
      if (record.finished) return;
      record.finished = true;
      record.bytes = sizeOf(record.capture);
      bytes += record.bytes;
      evict();
    },
    newestFirst: () => [...records.values()].reverse(),
    clear() {
      for (const record of records.values()) gone.push(record);
      records.clear();
      bytes = 0;
    },
    takeGone() {
      const taken = gone;
      gone = [];
      return taken;
    },
    get size() {
      return records.size;
    },
    get bytes() {
      return bytes;
    },
  };
}

function sizeOf(capture: Capture): number {
  const { headBytes = 0, requestBody, responseBody, messages } = capture;
  // A browser's headers are in the figure; whoever sends more of them takes more.
  let bytes = BYTES_PER_EXCHANGE + Math.max(0, headBytes - USUAL_HEAD_BYTES);
  for (const chunk of requestBody) bytes += chunk.length;
  for (const chunk of responseBody) bytes += chunk.length;
  for (const { data } of messages) bytes += data.length + 200;
  return bytes;
}
