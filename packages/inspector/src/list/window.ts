// Which rows of a long list are drawn: those in sight, and a few beyond.

/** Rows drawn beyond each end, so that a fast scroll does not show blanks. */
const BEYOND = 12;

/**
 * @param view scroll position and height of what is seen, and the height of a row, in pixels
 * @returns indices of the first row to draw and of the one after the last
 */
export function visibleRange(
  view: { scrollTop: number; height: number; rowHeight: number },
  count: number,
): { from: number; to: number } {
  const first = Math.floor(view.scrollTop / view.rowHeight) - BEYOND;
  const last = Math.ceil((view.scrollTop + view.height) / view.rowHeight);
  const to = Math.min(count, Math.max(0, last + BEYOND));
  return { from: Math.max(0, Math.min(first, to)), to };
}

/** Where to scroll so that a row is in sight; the present position when it is. */
export function scrollToShow(
  view: { scrollTop: number; height: number; rowHeight: number },
  index: number,
): number {
  const top = index * view.rowHeight;
  if (top < view.scrollTop) return top;
  const bottom = top + view.rowHeight;
  return Math.max(view.scrollTop, bottom - view.height);
}
