// The access log: hears of each finished request and writes one line about it, without ever holding one up.
//
// A record is only queued where requests are served. At the end of the turn it becomes a line, and a moment later a page of
// lines is handed to the system, one write at a time. When the disk is full or the reader slow, the page waits and the queue
// fills; when that is full, records are dropped and counted. Serving goes on in any case.
import type { Log } from "../util/log.ts";
import {
  formatJsonRecord,
  formatTextRecord,
  type RecordFormat,
} from "./format-record.ts";
import { LinePages } from "./line-pages.ts";
import type { RequestObserver, RequestRecord } from "./record.ts";
import { createTargetFormatter } from "./redact.ts";
import { createNameJudge } from "./sensitive-names.ts";
import { createSink, type Sink } from "./sink.ts";

/** How the access log looks and where it goes. */
export interface AccessLogOptions {
  readonly format: "json" | "text" | "off";
  /** A file to append to, or `-` for stdout. */
  readonly file: string;
  readonly headers: "redacted" | "all" | "none";
  /** Further names of headers and query parameters to redact, and names to show in any case; lower case. */
  readonly redact: readonly string[];
  readonly keep: readonly string[];
  /** Characters of one header's value and of all headers of a record. */
  readonly valueLength: number;
  readonly headersLength: number;
  /** Hears, at most once a minute, that records are being lost. */
  readonly log: Pick<Log, "warn">;
  /** In place of `file`, for tests. */
  readonly sink?: Sink;
  /** The clock for reports, milliseconds. Default: Date.now. */
  readonly now?: () => number;
}

/** The access log of one edge. */
export interface AccessLog {
  /** Undefined when the format is `off`: then nothing needs to be observed. */
  readonly observe: RequestObserver | undefined;
  /** Makes a request target fit for people's eyes by the same rules: redacted, cut, control characters escaped. */
  readonly formatTarget: (target: string) => string;
  readonly counters: AccessLogCounters;
  /** Opens the file again under its name, after it was renamed. Never throws. */
  reopen(): void;
  /** Writes what is queued, for a second at most, and closes the file. Does not close stdout. Idempotent. */
  close(): Promise<void>;
}

/** What became of the records. */
export interface AccessLogCounters {
  readonly written: number;
  /** Lost, because the queue was full or nobody reads any more. */
  readonly dropped: number;
  /** Writes that failed; the records of a failed write are tried again. */
  readonly writeErrors: number;
}

// Formatting so many takes about half a millisecond, so that no request waits longer than that for its turn.
const RECORDS_AT_ONCE = 256;
// Lines may be this late; the pages of a busy edge are full sooner.
const WRITE_DELAY_MS = 20;
// Two bounds on what waits: records, and the characters that hostile ones can hold, bytes once they are lines.
const MAX_QUEUED_RECORDS = 10_000;
const MAX_QUEUED_CHARACTERS = 16 * 1024 * 1024;
const RETRY_MS = 1_000;
const CLOSE_MS = 1_000;
const REPORT_EVERY_MS = 60 * 1_000;
const NEWLINE = 0x0a;

/** Starts an access log. @throws EdgeError `log-unwritable` when its file cannot be opened */
export function createAccessLog(options: AccessLogOptions): AccessLog {
  const isSensitive = createNameJudge(options);
  const formatTarget = createTargetFormatter(isSensitive);
  if (options.format === "off") return { ...switchedOff, formatTarget };

  const sink = options.sink ?? createSink(options.file);
  const now = options.now ?? Date.now;
  const recordFormat: RecordFormat = { ...options, isSensitive };
  const format =
    options.format === "json" ? formatJsonRecord : formatTextRecord;

  /** Records of this turn. */
  let queue: RequestRecord[] = [];
  let queuedCharacters = 0;
  const pages = new LinePages();
  let formatting: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  /** What is being written, or waits to be tried again. `torn`: the first line's beginning was written already. */
  let batch: { bytes: Buffer; records: number; torn: boolean } | undefined;
  let writing = false;
  let reopenWanted = false;
  let ending = false;
  /** The reader is gone for good. */
  let broken = false;
  let closing: Promise<void> | undefined;
  let onIdle: (() => void) | undefined;
  let written = 0;
  let dropped = 0;
  let writeErrors = 0;
  let lastReportAt = -Infinity;
  let lastError: Error | undefined;

  function observe(record: RequestRecord): void {
    const size = sizeOf(record);
    if (
      broken ||
      ending ||
      queue.length + pages.lines >= MAX_QUEUED_RECORDS ||
      queuedCharacters + pages.bytes + size > MAX_QUEUED_CHARACTERS
    )
      return drop(1);
    queue.push(record);
    queuedCharacters += size;
    formatting ??= setImmediate(formatQueued);
  }

  function formatQueued(): void {
    clearImmediate(formatting);
    formatting = undefined;
    const records = queue;
    queue =
      records.length > RECORDS_AT_ONCE ? records.splice(RECORDS_AT_ONCE) : [];
    if (queue.length > 0) formatting = setImmediate(formatQueued);
    else queuedCharacters = 0;
    for (const record of records)
      pages.add(`${format(record, recordFormat)}\n`);
    if (timer === undefined && !writing) schedule();
  }

  function schedule(): void {
    if (batch || pages.hasFull || ending) timer = setImmediate(pump);
    else timer = setTimeout(pump, WRITE_DELAY_MS).unref();
  }

  function pump(): void {
    timer = undefined;
    const page = batch ? undefined : pages.take();
    if (page) batch = { bytes: page.bytes, records: page.lines, torn: false };
    if (!batch) return onIdle?.();
    writing = true;
    sink.write(batch.bytes, wrote);
  }

  function wrote(count: number, error?: Error): void {
    writing = false;
    const { bytes, records, torn } = batch!;
    const lines = count === bytes.length ? records : linesIn(bytes, count);
    written += lines;
    batch =
      count === bytes.length
        ? undefined
        : {
            bytes: bytes.subarray(count),
            records: records - lines,
            torn: count > 0 ? bytes[count - 1] !== NEWLINE : torn,
          };
    if (reopenWanted) reopen();
    if (error) return failed(error);
    if (batch || pages.lines > 0) schedule();
    else onIdle?.();
  }

  function failed(error: Error): void {
    writeErrors++;
    lastError = error;
    if (isFinal(error)) {
      broken = true;
      drop((batch?.records ?? 0) + pages.lines + queue.length);
      batch = undefined;
      pages.clear();
      queue = [];
      queuedCharacters = 0;
      onIdle?.();
      return;
    }
    report();
    // A full disk may have room again; what could not be written is kept until then.
    if (ending) onIdle?.();
    else timer = setTimeout(pump, RETRY_MS).unref();
  }

  function drop(count: number): void {
    dropped += count;
    report();
  }

  function report(): void {
    if (now() - lastReportAt < REPORT_EVERY_MS) return;
    lastReportAt = now();
    options.log.warn("access log cannot keep up or be written", {
      dropped,
      writeErrors,
      error: lastError,
      next: broken
        ? "restart the edge with a reader"
        : "make room or point access-log.file elsewhere",
    });
  }

  // Between two writes only: a write that is under way holds the old descriptor.
  function reopen(): void {
    reopenWanted = false;
    const error = sink.reopen();
    if (error)
      options.log.warn("access log not reopened; the old file is kept", {
        file: options.file,
        error,
      });
    else if (batch?.torn) {
      // Its beginning is in the old file; the new one must not begin with the rest of a line.
      dropped++;
      const bytes = batch.bytes.subarray(batch.bytes.indexOf(NEWLINE) + 1);
      const records = batch.records - 1;
      batch = records > 0 ? { bytes, records, torn: false } : undefined;
    }
  }

  async function close(): Promise<void> {
    ending = true;
    // What is queued goes out now, not after the delay.
    while (queue.length > 0) formatQueued();
    if (timer !== undefined) {
      clearTimeout(timer as NodeJS.Timeout);
      clearImmediate(timer as NodeJS.Immediate);
      timer = undefined;
    }
    if (!writing && (batch || pages.lines > 0)) schedule();
    if (writing || timer !== undefined) {
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, CLOSE_MS);
        onIdle = () => {
          clearTimeout(deadline);
          resolve();
        };
      });
    }
    dropped += (batch?.records ?? 0) + pages.lines;
    pages.clear();
    // A write that hangs keeps its descriptor: closed, its number could become somebody else's file.
    if (!writing) sink.close();
  }

  return {
    observe,
    formatTarget,
    get counters() {
      return { written, dropped, writeErrors };
    },
    reopen() {
      if (writing) reopenWanted = true;
      else reopen();
    },
    close: () => (closing ??= close()),
  };
}

const switchedOff: Omit<AccessLog, "formatTarget"> = {
  observe: undefined,
  counters: { written: 0, dropped: 0, writeErrors: 0 },
  reopen() {},
  close: () => Promise.resolve(),
};

// A reader that went away does not come back, a disk gets room again.
const isFinal = (error: Error): boolean =>
  ["EPIPE", "ECONNRESET", "EBADF", "ERR_STREAM_DESTROYED"].includes(
    String((error as NodeJS.ErrnoException).code),
  ) || error.message === "closed";

function linesIn(bytes: Buffer, end: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0 && at < end; lines++)
    at = bytes.indexOf(NEWLINE, at + 1);
  return lines;
}

// What a record keeps in memory, roughly.
function sizeOf({ target, rawHeaders }: RequestRecord): number {
  let size = 500 + target.length;
  for (let i = 0; i < rawHeaders.length; i++) size += rawHeaders[i]!.length;
  return size;
}
