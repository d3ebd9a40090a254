// A time limit that stands still while a person is being asked.

/** See the file's head. */
export interface Deadline {
  pause(): void;
  resume(): void;
  /** Ends it; nothing is called any more. */
  clear(): void;
}

/** Starts a time limit. @param onExpired called once, after `ms` milliseconds in which it was not paused */
export function startDeadline(ms: number, onExpired: () => void): Deadline {
  let leftMs = ms;
  let startedAt = performance.now();
  let cleared = false;
  let timer: NodeJS.Timeout | undefined = setTimeout(onExpired, ms);
  return {
    pause() {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      leftMs = Math.max(0, leftMs - (performance.now() - startedAt));
    },
    resume() {
      if (timer !== undefined || cleared) return;
      startedAt = performance.now();
      timer = setTimeout(onExpired, leftMs);
    },
    clear() {
      cleared = true;
      clearTimeout(timer);
    },
  };
}
