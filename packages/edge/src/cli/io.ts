// What the commands touch of the process, so that tests can put something else in its place.
import type { Readable, Writable } from "node:stream";

/** See the file's head. */
export interface CliIo {
  readonly stdin: Readable;
  /** What was asked for. */
  readonly stdout: Writable;
  /** Everything else: logs, warnings, errors. */
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Signals, for `serve`. */
  readonly signals: SignalSource;
  /** Ends the process now, with what is open cut off. */
  exitNow(status: number): void;
}

/** The part of the process that tells of signals. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

/** The real process. Readers that go away end nothing: an edge serves on without them. */
export function processIo(): CliIo {
  // What was on its way is lost, and there is nobody to tell.
  const gone = (): void => {};
  process.stdout.on("error", gone);
  process.stderr.on("error", gone);
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signals: process,
    exitNow: (status) => process.exit(status),
  };
}
