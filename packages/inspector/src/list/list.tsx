// The list of exchanges. Only the rows in sight are in the document, however many there are.
import type { ExchangeSummary } from "@expose/protocol";
import type { JSX, RefObject } from "preact";
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Row, rowId } from "./row.tsx";
import { scrollToShow, visibleRange } from "./window.ts";

const ROW_PX = 30;
const TWO_LINE_ROW_PX = 50;
/** Narrower than this, a row takes two lines. */
const ONE_LINE_PX = 780;
const HEAD_PX = 28;

export interface ListProps {
  readonly rows: readonly ExchangeSummary[];
  readonly selectedId: string | undefined;
  readonly more: boolean;
  readonly gridRef: RefObject<HTMLDivElement | null>;
  onOpen(id: string): void;
  onEnd(): void;
}

/** A grid whose rows are found with the arrow keys, of which only the container takes the focus. */
export function List(props: ListProps): JSX.Element {
  const { rows, selectedId, gridRef } = props;
  const view = useView(gridRef);
  const rowHeight = view.twoLines ? TWO_LINE_ROW_PX : ROW_PX;
  const headHeight = view.twoLines ? 0 : HEAD_PX;
  const measures = {
    scrollTop: view.scrollTop,
    height: Math.max(0, view.height - headHeight),
    rowHeight,
  };
  const { from, to } = visibleRange(measures, rows.length);
  const selectedIndex = selectedId
    ? rows.findIndex(({ id }) => id === selectedId)
    : -1;

  useAnchor(gridRef, rows, rowHeight);
  useLayoutEffect(() => {
    const grid = gridRef.current;
    if (!grid || selectedIndex < 0) return;
    const wanted = scrollToShow(
      { ...measures, scrollTop: grid.scrollTop },
      selectedIndex,
    );
    if (wanted !== grid.scrollTop) grid.scrollTop = wanted;
    // Not when rows come in: a reader who scrolled away stays there.
  }, [selectedId, rowHeight]);
  useLayoutEffect(() => {
    if (props.more && to >= rows.length - 50) props.onEnd();
  }, [to, rows.length, props.more]);

  const indices = Array.from({ length: to - from }, (_, i) => from + i);
  // A screen reader follows aria-activedescendant, so the selected row is there wherever it is.
  if (selectedIndex >= 0 && (selectedIndex < from || selectedIndex >= to))
    indices.push(selectedIndex);

  return (
    <>
      <div
        ref={gridRef}
        class={view.twoLines ? "list two-lines" : "list"}
        role="grid"
        tabIndex={0}
        aria-label="Requests, newest first"
        aria-rowcount={rows.length + 1}
        aria-colcount={8}
        aria-activedescendant={
          selectedIndex >= 0 ? rowId(selectedId!) : undefined
        }
      >
        <Head />
        <div
          class="list-canvas"
          role="rowgroup"
          style={{ height: `${rows.length * rowHeight}px` }}
        >
          {indices.map((index) => (
            <Row
              key={rows[index]!.id}
              exchange={rows[index]!}
              index={index}
              top={index * rowHeight}
              selected={index === selectedIndex}
              onSelect={props.onOpen}
            />
          ))}
        </div>
      </div>
      {view.scrollTop > view.height && (
        <button
          type="button"
          class="button to-newest"
          onClick={() => {
            gridRef.current?.scrollTo({ top: 0 });
            gridRef.current?.focus({ preventScroll: true });
          }}
        >
          ↑ To the newest
        </button>
      )}
    </>
  );
}

function Head(): JSX.Element {
  return (
    <div class="list-head" role="rowgroup">
      <div class="row head" role="row" aria-rowindex={1}>
        {[
          "Time",
          "Method",
          "Status",
          "Path",
          "Tunnel",
          "Duration",
          "Size",
          "Webhook",
        ].map((name) => (
          <span
            key={name}
            class={`cell ${name.toLowerCase()}`}
            role="columnheader"
          >
            {name}
          </span>
        ))}
      </div>
    </div>
  );
}

interface View {
  readonly scrollTop: number;
  readonly height: number;
  readonly twoLines: boolean;
}

/** Follows size and scroll position, at most once a frame. */
function useView(gridRef: RefObject<HTMLDivElement | null>): View {
  const [view, setView] = useState<View>({
    scrollTop: 0,
    height: 0,
    twoLines: false,
  });
  const measure = useCallback(() => {
    const grid = gridRef.current;
    if (!grid) return;
    const next = {
      scrollTop: grid.scrollTop,
      height: grid.clientHeight,
      twoLines: grid.clientWidth < ONE_LINE_PX,
    };
    setView((old) =>
      old.scrollTop === next.scrollTop &&
      old.height === next.height &&
      old.twoLines === next.twoLines
        ? old
        : next,
    );
  }, []);
  useLayoutEffect(() => {
    const grid = gridRef.current!;
    const observer = new ResizeObserver(measure);
    observer.observe(grid);
    grid.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      grid.removeEventListener("scroll", measure);
    };
  }, []);
  return view;
}

/** Keeps what is read in its place while rows come in above; at the very top the new ones are what one wants to see. */
function useAnchor(
  gridRef: RefObject<HTMLDivElement | null>,
  rows: readonly ExchangeSummary[],
  rowHeight: number,
): void {
  const before = useRef(rows);
  useLayoutEffect(() => {
    const old = before.current;
    before.current = rows;
    const grid = gridRef.current;
    if (!grid || old === rows || grid.scrollTop < rowHeight) return;
    const anchor = old[Math.floor(grid.scrollTop / rowHeight)];
    if (!anchor) return;
    const wasAt = old.indexOf(anchor);
    const isAt = rows.findIndex(({ id }) => id === anchor.id);
    if (isAt >= 0 && isAt !== wasAt)
      grid.scrollTop += (isAt - wasAt) * rowHeight;
  }, [rows]);
}
