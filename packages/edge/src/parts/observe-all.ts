// Several observers of requests as one.
import type { RequestObserver } from "../access-log/record.ts";
import type { Log } from "../util/log.ts";

/** One that fails must not keep the others from hearing, nor a visitor from being served. */
export function observeAll(
  observers: readonly (RequestObserver | undefined)[],
  log: Pick<Log, "error">,
): RequestObserver {
  const present = observers.filter((observer) => observer !== undefined);
  return (record) => {
    for (const observe of present) {
      try {
        observe(record);
      } catch (error) {
        log.error("bug", { error: stackOf(error) });
      }
    }
  };
}

/** What to write down of an error that nobody foresaw. */
export const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
