// Signals and broken pipes: the first request to end is graceful, the second ends at once.
import type { EventEmitter } from "node:events";

/** The part of the process that is needed here. */
export interface SignalSource {
  on(
    signal: NodeJS.Signals,
    listener: (signal: NodeJS.Signals) => void,
  ): unknown;
  off(
    signal: NodeJS.Signals,
    listener: (signal: NodeJS.Signals) => void,
  ): unknown;
  readonly stdout: EventEmitter;
  readonly stderr: EventEmitter;
}

/** See the file's head. */
export interface Signals {
  /** Fires at the first signal, or when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  /** Takes the limit of a second off: for a command that passes the first signal on and waits for what follows. */
  allowTime(): void;
  /** Lets the signals have their default effect again. */
  dispose(): void;
}

const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
// A graceful end that takes longer is none: the person waits.
const GRACE_MS = 1_000;

/**
 * @param exitNow ends the process at once with this status; called at the second signal and when a graceful end takes
 *   longer than a second
 */
export function watchSignals(
  source: SignalSource,
  exitNow: (status: number) => void,
): Signals {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let graceMs: number | undefined = GRACE_MS;

  const end = (status: number): void => {
    if (controller.signal.aborted) return exitNow(status);
    controller.abort();
    if (graceMs === undefined) return;
    timer = setTimeout(() => exitNow(status), graceMs);
    timer.unref();
  };
  // 128 + number, as a shell reports a process that died of it.
  const onSignal = (signal: NodeJS.Signals): void =>
    end(128 + (SIGNAL_NUMBERS[signal] ?? 0));
  // Whoever read our output is gone (`| head -1` after an event): as good as Ctrl-C. Node gives EPIPE for SIGPIPE.
  // What was on its way to stderr is lost, and there is nobody to tell.
  const onStdoutError = (): void => {
    if (!controller.signal.aborted) end(128 + SIGPIPE);
  };
  const onStderrError = (): void => {};

  for (const name of ENDING) source.on(name, onSignal);
  source.stdout.on("error", onStdoutError);
  source.stderr.on("error", onStderrError);
  return {
    signal: controller.signal,
    allowTime() {
      graceMs = undefined;
      clearTimeout(timer);
    },
    dispose() {
      clearTimeout(timer);
      for (const name of ENDING) source.off(name, onSignal);
      source.stdout.off("error", onStdoutError);
      source.stderr.off("error", onStderrError);
    },
  };
}

const SIGPIPE = 13;
const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGTERM: 15,
};
