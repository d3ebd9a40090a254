// The application: what stands where, and what each key does.
import type { JSX } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { replayOnce } from "./api/replay.ts";
import { Detail } from "./detail/detail.tsx";
import { Empty } from "./frame/empty.tsx";
import { Footer } from "./frame/footer.tsx";
import { Help } from "./frame/help.tsx";
import { TopBar } from "./frame/top-bar.tsx";
import { FilterBox } from "./list/filter-box.tsx";
import { List } from "./list/list.tsx";
import { useAnnouncedArrivals } from "./list/use-announced-arrivals.ts";
import { EditReplay } from "./replay/edit-replay.tsx";
import { ReplayMany } from "./replay/replay-many.tsx";
import type { Exchanges } from "./state/exchanges.ts";
import type { Session } from "./state/session.ts";
import { Announcer, say } from "./ui/announcer.tsx";
import { ErrorNote } from "./ui/error-note.tsx";
import { useObservable } from "./ui/observable.ts";
import { useFocusBetween } from "./ui/use-focus-between.ts";
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
  const selected = list.rows.find(({ id }) => id === selectedId);
  const canReplay = selectedId !== undefined && selected?.kind !== "raw";
  const latestId = useRef(selectedId);
  latestId.current = selectedId;
  const isReplaying = useRef(false);
  const replay = async (): Promise<void> => {
    // A key that is held down is one wish.
    if (!canReplay || isReplaying.current) return;
    isReplaying.current = true;
    try {
      const id = await replayOnce(selectedId);
      say("Replayed");
      // Whoever has moved on meanwhile stays there.
      if (latestId.current === selectedId) show(id);
    } catch (error) {
      show(selectedId);
      setReplayError(error);
    } finally {
      isReplaying.current = false;
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
    e: () => canReplay && setDialog("edit"),
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
            summary={selected}
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

function useTitle(held: number, lost: boolean): void {
  useEffect(() => {
    document.title = `${lost ? "⚠ " : ""}${held > 0 ? `(${held}) ` : ""}expose`;
  }, [held, lost]);
}
