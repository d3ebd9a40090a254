// Tells screen readers, and shows for a moment, what happened without a change of focus.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Observable, useObservable } from "./observable.ts";

const SHOWN_MS = 3_000;

const spoken = new Observable({ text: "", count: 0, seen: true });

/** Says and shows a short sentence. A later one takes its place. */
export function say(text: string): void {
  spoken.set({ text, count: spoken.value.count + 1, seen: true });
}

/** Says it to screen readers alone: for what everybody else sees anyway. */
export function whisper(text: string): void {
  spoken.set({ text, count: spoken.value.count + 1, seen: false });
}

/** Where the sentences stand. One for the page. */
export function Announcer(): JSX.Element {
  const { text, count, seen } = useObservable(spoken);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (count === 0) return;
    setShown(true);
    const timer = setTimeout(() => setShown(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [count]);
  return (
    <div
      class={seen ? `toast${shown ? " shown" : ""}` : "unseen"}
      role="status"
    >
      {shown ? text : ""}
    </div>
  );
}
