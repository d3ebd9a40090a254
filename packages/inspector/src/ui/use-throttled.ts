// A value that changes often, for what is costly to do anew each time.
import { useEffect, useRef, useState } from "preact/hooks";

/**
 * The value: the first one of a key at once, later ones no more often than each so many milliseconds, the last one
 * always.
 */
export function useThrottled<T>(value: T, key: string, everyMs: number): T {
  const [shown, setShown] = useState({ key, value });
  const changedAt = useRef(0);
  const current = shown.key === key ? shown.value : value;
  useEffect(() => {
    if (shown.key === key && shown.value === value) return;
    const show = (): void => {
      changedAt.current = performance.now();
      setShown({ key, value });
    };
    if (shown.key !== key) return show();
    const waitMs = changedAt.current + everyMs - performance.now();
    const timer = setTimeout(show, Math.max(0, waitMs));
    return () => clearTimeout(timer);
  }, [key, value, shown, everyMs]);
  return current;
}
