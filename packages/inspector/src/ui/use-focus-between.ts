// Where the focus goes when details open beside the list, or over it, and close again.
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** Gives the focus back to the list, and to the details where they cover it. */
export function useFocusBetween(
  open: boolean,
  gridRef: RefObject<HTMLElement | null>,
  detailRef: RefObject<HTMLElement | null>,
): void {
  const wasOpen = useRef(open);
  useLayoutEffect(() => {
    const grid = gridRef.current;
    if (!open && wasOpen.current) grid?.focus({ preventScroll: true });
    if (open && grid && getComputedStyle(grid).visibility === "hidden")
      detailRef.current?.focus({ preventScroll: true });
    wasOpen.current = open;
  }, [open]);
}
