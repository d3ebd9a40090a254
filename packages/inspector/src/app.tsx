// The application: what stands where, and what each key does.
import type { JSX, RefObject } from "preact";
import {
  useCallback,
  useEffect,
  useRef,
  useState,
  useLayoutEffect,
} from "preact/hooks";
import { Detail } from "./detail/detail.tsx";
import { Empty } from "./frame/empty.tsx";
import { Footer } from "./frame/footer.tsx";
import { Help } from "./frame/help.tsx";
import { TopBar } from "./frame/top-bar.tsx";
import { FilterBox } from "./list/filter-box.tsx";
import { List } from "./list/list.tsx";
import { EditReplay } from "./replay/edit-replay.tsx";
import { ReplayMany } from "./replay/replay-many.tsx";
import { replayOnce } from "./api/replay.ts";
import type { Exchanges } from "./state/exchanges.ts";
import type { Session } from "./state/session.ts";
import { Announcer, say, whisper } from "./ui/announcer.tsx";
import { ErrorNote } from "./ui/error-note.tsx";
import { useObservable } from "./ui/observable.ts";
import { useKeys, type KeyTable } from "./ui/use-keys.ts";

export interface AppProps {
  readonly exchanges: Exchanges;
  readonly session: Session;
}

type Dialog = "help" | "edit" | "many" | undefined;

export function App({ exchanges, session }: AppProps): JSX.Element {
  const list = useObservable(exchanges.state);
  const client = useObservable(session.state);
  const [selectedId, setSelectedId] = useState<string>();
  const [open, setOpen] = useState(false);
  const [dialog, setDialog] = useState<Dialog>();
  const [replayError, setReplayError] = useState<unknown>();
  const gridRef = useRef<HTMLDivElement>(null);
  const filterRef = useRef<HTMLInputElement>(null);
  const detailRef = useRef<HTMLElement>(null);

  const show = useCallback((id: string) => {
    setSelectedId(id);
    setOpen(true);
    setReplayError(undefined);
  }, []);
  const close = useCallback(() => setOpen(false), []);
  useFocusBetween(open, gridRef, detailRef);
  const move = (to: (index: number) => number): void => {
    const { rows } = list;
    if (rows.length === 0) return;
    const at = rows.findIndex(({ id }) => id === selectedId);
    const index = Math.max(0, Math.min(rows.length - 1, to(at)));
    setSelectedId(rows[index]!.id);
    setReplayError(undefined);
  };
  const replay = async (): Promise<void> => {
    if (!selectedId) return;
    try {
      show(await replayOnce(selectedId));
      say("Replayed");
    } catch (error) {
      setReplayError(error);
    }
  };

  const pageRows = (): number =>
    Math.max(1, Math.floor((gridRef.current?.clientHeight ?? 300) / 30) - 2);
  const inList: KeyTable = {
    ArrowDown: () => move((at) => at + 1),
    ArrowUp: () => move((at) => (at < 0 ? 0 : at - 1)),
    PageDown: () => move((at) => at + pageRows()),
    PageUp: () => move((at) => at - pageRows()),
    Home: () => move(() => 0),
    End: () => move(() => list.rows.length - 1),
    Enter: () => {
      if (!selectedId) return;
      show(selectedId);
      requestAnimationFrame(() => detailRef.current?.focus());
    },
  };
  const anywhere: KeyTable = {
    j: () => move((at) => at + 1),
    k: () => move((at) => (at < 0 ? 0 : at - 1)),
    "/": () => filterRef.current?.focus(),
    r: () => void replay(),
    e: () => selectedId && setDialog("edit"),
    m: () => setDialog("many"),
    p: () => exchanges.setPaused(!exchanges.state.value.paused),
    "?": () => setDialog("help"),
    Escape: () => {
      if (open) close();
    },
  };
  useKeys({ gridRef, inList, anywhere, enabled: dialog === undefined });

  useAnnouncedArrivals(list.rows[0]?.id, list.rows.length, list.paused);
  useTitle(list.held, client.connection === "lost");

  const isEmpty = list.loaded && list.rows.length === 0 && !list.filterError;
  return (
    <div class={open && selectedId ? "app with-detail" : "app"}>
      <TopBar
        client={client}
        paused={list.paused}
        held={list.held}
        onPause={(paused) => exchanges.setPaused(paused)}
        onReplayMany={() => setDialog("many")}
        onHelp={() => setDialog("help")}
        onClear={() => exchanges.clear()}
        filter={list.filter}
      />
      <main class="main">
        <section class="list-pane" aria-label="Requests">
          <FilterBox
            inputRef={filterRef}
            filter={list.filter}
            error={list.filterError}
            busy={list.loading}
            onFilter={(filter) => exchanges.setFilter(filter)}
            onDone={() => gridRef.current?.focus()}
          />
          {list.error !== undefined && (
            <ErrorNote
              error={list.error}
              doing="load the list"
              onRetry={() => void exchanges.reload()}
            />
          )}
          {isEmpty && <Empty status={client.status} filter={list.filter} />}
          <List
            rows={list.rows}
            selectedId={selectedId}
            more={list.more}
            gridRef={gridRef}
            onOpen={show}
            onEnd={() => void exchanges.loadMore()}
          />
        </section>
        {open && selectedId && (
          <Detail
            key="detail"
            id={selectedId}
            summary={list.rows.find(({ id }) => id === selectedId)}
            secrets={client.status?.secrets ?? []}
            panelRef={detailRef}
            replayError={replayError}
            onClose={close}
            onShow={show}
            onReplay={() => void replay()}
            onEdit={() => setDialog("edit")}
          />
        )}
      </main>
      <Footer client={client} list={list} />
      {dialog === "help" && <Help onClose={() => setDialog(undefined)} />}
      {dialog === "many" && (
        <ReplayMany
          filter={list.filter}
          rows={list.rows}
          secrets={client.status?.secrets ?? []}
          onClose={() => setDialog(undefined)}
          onShow={(id) => {
            setDialog(undefined);
            show(id);
          }}
        />
      )}
      {dialog === "edit" && selectedId && (
        <EditReplay
          id={selectedId}
          secrets={client.status?.secrets ?? []}
          onClose={() => setDialog(undefined)}
          onShow={(id) => {
            setDialog(undefined);
            show(id);
          }}
        />
      )}
      <Announcer />
    </div>
  );
}

/** Gives the focus back to the list, and to the details where they cover it. */
function useFocusBetween(
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

const QUIET_MS = 5_000;

/** Says now and then that requests came in; each one would be too much. */
function useAnnouncedArrivals(
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

function useTitle(held: number, lost: boolean): void {
  useEffect(() => {
    document.title = `${lost ? "⚠ " : ""}${held > 0 ? `(${held}) ` : ""}expose`;
  }, [held, lost]);
}
