// Where the lines of the access log end up: a file, or stdout whatever that is. Nothing here ever blocks the process.
import { closeSync, fstatSync, openSync, write } from "node:fs";
import { isatty } from "node:tty";
import type { Writable } from "node:stream";
import { EdgeError } from "../errors.ts";

/** Takes bytes, one write at a time. */
export interface Sink {
  /**
   * Writes as much of `bytes` as can be.
   * @param done gets what was written, and the error if that was not all of it
   */
  write(bytes: Buffer, done: (written: number, error?: Error) => void): void;
  /**
   * Opens the file again under its name, after it was renamed. Keeps the old one and gives the error if it cannot. Call it
   * when no write is under way.
   */
  reopen(): Error | undefined;
  /** Call it when no write is under way. Idempotent. */
  close(): void;
}

const STDOUT = 1;

/**
 * @param path a file to append to, or `-` for stdout
 * @throws EdgeError `log-unwritable` when the file cannot be opened
 */
export function createSink(path: string): Sink {
  if (path !== "-") return createFileSink(path);
  // A terminal is the one thing that Node writes to synchronously; a person who stops it with Ctrl-S means it. Writing to
  // a pipe as to a file would hold a thread, and the end of the process, for as long as nobody reads.
  const stats = fstatSync(STDOUT);
  return stats.isFile() || (stats.isCharacterDevice() && !isatty(STDOUT))
    ? createDescriptorSink(STDOUT)
    : createStreamSink(process.stdout);
}

/** Appends to a file. @throws EdgeError `log-unwritable` */
export function createFileSink(path: string): Sink {
  let fd: number;
  try {
    fd = openLog(path);
  } catch (error) {
    throw new EdgeError(
      "log-unwritable",
      `The access log ${path} cannot be opened (${(error as NodeJS.ErrnoException).code}). Check that its folder exists and that the edge may write there.`,
      { cause: error },
    );
  }
  let closed = false;
  return {
    write: (bytes, done) => writeTo(fd, bytes, done),
    reopen() {
      try {
        const fresh = openLog(path);
        closeSync(fd);
        fd = fresh;
        return undefined;
      } catch (error) {
        return error as Error;
      }
    },
    close() {
      if (!closed) closeSync(fd);
      closed = true;
    },
  };
}

/** Writes to a stream that belongs to somebody else: it is not ended. */
export function createStreamSink(stream: Writable): Sink {
  let failed: Error | undefined;
  // Without a listener a reader that goes away would end the process. The write's own callback tells of it too.
  const note = (error: Error): void => {
    failed ??= error;
  };
  stream.on("error", note);
  return {
    write(bytes, done) {
      if (failed || !stream.writable)
        return void process.nextTick(done, 0, failed ?? new Error("closed"));
      stream.write(bytes, (error) =>
        error ? done(0, error) : done(bytes.length),
      );
    },
    reopen: () => undefined,
    // No write is under way, so no error of ours can come any more.
    close: () => void stream.off("error", note),
  };
}

function createDescriptorSink(fd: number): Sink {
  return {
    write: (bytes, done) => writeTo(fd, bytes, done),
    reopen: () => undefined,
    close() {},
  };
}

function writeTo(
  fd: number,
  bytes: Buffer,
  done: (written: number, error?: Error) => void,
): void {
  write(fd, bytes, 0, bytes.length, null, (error, written = 0) =>
    error ? done(written, error) : done(written),
  );
}

// Records hold what visitors did; the group may read them, as with the logs of other servers.
const openLog = (path: string): number => openSync(path, "a", 0o640);
