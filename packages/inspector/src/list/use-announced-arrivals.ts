// Tells screen readers of new requests.
import { useEffect, useRef } from "preact/hooks";
import { whisper } from "../ui/announcer.tsx";

const QUIET_MS = 5_000;

/** Says now and then that requests came in; each one would be too much. */
export function useAnnouncedArrivals(
  newest: string | undefined,
  count: number,
  paused: boolean,
): void {
  const last = useRef({
    at: 0,
    count: 0,
    newest: undefined as string | undefined,
  });
  useEffect(() => {
    const now = performance.now();
    const { current } = last;
    if (newest === undefined || newest === current.newest || paused) return;
    const isFirst = current.newest === undefined;
    if (!isFirst && now - current.at < QUIET_MS) return;
    const more = count - current.count;
    last.current = { at: now, count, newest };
    if (!isFirst && more > 0)
      whisper(more === 1 ? "1 new request" : `${more} new requests`);
  }, [newest, paused]);
}
