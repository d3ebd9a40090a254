// The API's event stream: opened again whenever it is lost, and left while nobody looks.
import type { InspectorEvents } from "@expose/protocol";
import { call } from "./call.ts";
import { eventsPath, statusPath } from "./paths.ts";

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5_000;
/** A browser has six connections for all tabs of a server: forgotten ones would leave none for the next. */
const HIDDEN_MS = 60_000;

export interface EventHandlers {
  /** The stream is open, for the first time or again: what came in between was not told. */
  opened(): void;
  lost(): void;
  exchange(summary: InspectorEvents["exchange"]): void;
  missed(): void;
  cleared(): void;
  status(status: InspectorEvents["status"]): void;
}

/** Follows the events for the life of the page. */
export function followEvents(handlers: EventHandlers): void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let retryMs = FIRST_RETRY_MS;

  const open = (): void => {
    const current = (source = new EventSource(eventsPath));
    current.addEventListener("open", () => {
      retryMs = FIRST_RETRY_MS;
      handlers.opened();
    });
    // The browser's own retries give up at the first answer that is not an event stream.
    current.addEventListener("error", () => {
      current.close();
      handlers.lost();
      timer = setTimeout(() => void retry(), retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    });
    listen(current, handlers);
  };

  const retry = async (): Promise<void> => {
    const before = source;
    // Gets this run's cookie when it is another client that answers; when none does, the stream will say so too.
    await call(statusPath).catch(() => undefined);
    if (source === before) open();
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") {
      timer = setTimeout(() => {
        source?.close();
        source = undefined;
      }, HIDDEN_MS);
    } else if (source?.readyState !== EventSource.OPEN) {
      source?.close();
      void retry();
    }
  });
  open();
}

function listen(source: EventSource, handlers: EventHandlers): void {
  const on = <Name extends keyof InspectorEvents>(
    name: Name,
    handle: (data: InspectorEvents[Name]) => void,
  ): void =>
    source.addEventListener(name, (event: MessageEvent<string>) =>
      // `cleared` needs no data.
      handle(JSON.parse(event.data || "{}") as InspectorEvents[Name]),
    );
  on("exchange", (summary) => handlers.exchange(summary));
  on("missed", () => handlers.missed());
  on("cleared", () => handlers.cleared());
  on("status", (status) => handlers.status(status));
}
