// Signals and broken pipes: the first request to end is graceful, the second ends at once.
import type { EventEmitter } from "node:events";
import { constants } from "node:os";

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
  /** Fires at the first signal, or when nobody reads stdout any more; its reason is an {@link Interruption}. */
  readonly signal: AbortSignal;
  /** Takes the limit of a second off: for a command that passes the first signal on and waits for what follows. */
  allowTime(): void;
  /** Lets the signals have their default effect again. */
  dispose(): void;
}

/** Why a command is to end. */
export class Interruption extends Error {
  // As other aborts are called, so that whoever waits with the signal recognises it.
  override name = "AbortError";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}.`);
    this.signal = signal;
  }
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

  // A process that died of a signal is reported by shells as 128 + its number.
  const statusOf = (name: NodeJS.Signals): number =>
    128 + (constants.signals[name] ?? 0);
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) return exitNow(statusOf(name));
    controller.abort(new Interruption(name));
    if (graceMs === undefined) return;
    timer = setTimeout(() => exitNow(statusOf(name)), graceMs);
    timer.unref();
  };
  // Whoever read our output is gone (`| head -1`): as good as Ctrl-C. Node gives EPIPE for SIGPIPE.
  const onStdoutError = (): void => {
    if (graceMs === undefined) exitNow(statusOf("SIGPIPE"));
    else if (!controller.signal.aborted) onSignal("SIGPIPE");
  };
  // What was on its way to stderr is lost, and there is nobody to tell.
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
