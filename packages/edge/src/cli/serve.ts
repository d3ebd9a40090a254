// `expose-edge serve`: runs an edge until it is told to stop.
import type { EdgeConfig } from "../config/schema.ts";
import { createLog } from "../util/log.ts";
import type { CliIo } from "./io.ts";

const ENDING = { SIGTERM: 15, SIGINT: 2 } as const;

/**
 * Serves until the first SIGTERM or SIGINT, then stops gracefully; the second ends the process at once. SIGHUP opens the
 * access log again and reads the users file.
 *
 * @returns the exit status
 * @throws EdgeError when a part cannot start; nothing is open then
 */
export async function serve(config: EdgeConfig, io: CliIo): Promise<number> {
  const log = createLog({
    ...config.log,
    write: (line) => void io.stderr.write(line),
  });
  // Only now: a command that serves nothing should not wait for all of it to load.
  const { createEdge } = await import("../edge.ts");
  const edge = createEdge(config, { log });

  let stopping = false;
  let stop: (() => void) | undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const listeners: [NodeJS.Signals, () => void][] = [
    ["SIGHUP", hangUp],
    ...Object.entries(ENDING).map(
      ([signal, number]): [NodeJS.Signals, () => void] => [
        signal as NodeJS.Signals,
        () => end(signal, number),
      ],
    ),
  ];
  for (const [signal, listener] of listeners) io.signals.on(signal, listener);

  function end(signal: string, number: number): void {
    // As a shell reports a process that died of the signal.
    if (stopping) return io.exitNow(128 + number);
    stopping = true;
    log.info("stopping", { signal, deadlineMs: config.timeouts.shutdown });
    stop?.();
  }

  function hangUp(): void {
    log.info("reopening the access log and reading the users file");
    edge.reopenLogs();
    // Never rejects: what is wrong with the file goes to the log.
    void edge.reloadUsers();
  }

  try {
    await edge.start();
    await stopped;
    await edge.close();
    log.info("stopped");
    return 0;
  } finally {
    for (const [signal, listener] of listeners)
      io.signals.off(signal, listener);
  }
}
