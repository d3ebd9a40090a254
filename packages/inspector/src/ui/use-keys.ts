// Keys of the page. Those with one letter work wherever nobody types, and can be switched off (WCAG 2.2, 2.1.4).
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** What each key does, by `KeyboardEvent.key`. */
export type KeyTable = Readonly<Record<string, () => unknown>>;

export interface KeysOptions {
  readonly gridRef: RefObject<HTMLElement | null>;
  /** While the list has the focus, or nothing has. */
  readonly inList: KeyTable;
  readonly anywhere: KeyTable;
  /** False while a dialog has keys of its own. */
  readonly enabled: boolean;
}

const STORED = "expose.single-keys";

/** Whether keys of one letter do something. */
export const singleKeysOn = (): boolean => read() !== "off";

/** Remembers it, where the browser lets pages remember anything. */
export function setSingleKeys(on: boolean): void {
  unstored = on ? "on" : "off";
  try {
    localStorage.setItem(STORED, unstored);
  } catch {
    // Then until the page is left.
  }
}

let unstored: string | null = null;

function read(): string | null {
  try {
    return localStorage.getItem(STORED) ?? unstored;
  } catch {
    // Whoever blocks cookies blocks this too.
    return unstored;
  }
}

/** Listens as long as the component is there. */
export function useKeys(options: KeysOptions): void {
  const latest = useRef(options);
  latest.current = options;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { gridRef, inList, anywhere, enabled } = latest.current;
      if (!enabled || event.defaultPrevented) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = event;
      if (
        target instanceof Element &&
        target.matches("input, textarea, select")
      )
        return;
      const listHasIt = target === gridRef.current || target === document.body;
      const action =
        (listHasIt ? own(inList, event.key) : undefined) ??
        (event.key.length > 1 || singleKeysOn()
          ? own(anywhere, event.key)
          : undefined);
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

const own = (table: KeyTable, key: string): (() => unknown) | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;
