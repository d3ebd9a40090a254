// The API's event stream, opened again whenever it is lost.
import type { InspectorEvents } from "@expose/protocol";
import { eventsPath, statusPath } from "./paths.ts";
import { call } from "./call.ts";

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5_000;

export interface EventHandlers {
  /** The stream is open, for the first time or again: what came in between was not told. */
  opened(): void;
  lost(): void;
  exchange(summary: InspectorEvents["exchange"]): void;
  missed(): void;
  cleared(): void;
  status(status: InspectorEvents["status"]): void;
}

/** Follows the events until the returned function is called. */
export function followEvents(handlers: EventHandlers): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let retryMs = FIRST_RETRY_MS;
  let ended = false;

  const open = (): void => {
    const current = (source = new EventSource(eventsPath));
    current.onopen = () => {
      retryMs = FIRST_RETRY_MS;
      handlers.opened();
    };
    // The browser's own retries give up at the first answer that is not an event stream.
    current.onerror = () => {
      current.close();
      handlers.lost();
      timer = setTimeout(() => void retry(), retryMs);
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    };
    listen(current, handlers);
  };

  const retry = async (): Promise<void> => {
    // Gets this run's cookie when it is another client that answers; when none does, the stream will say so too.
    await call(statusPath).catch(() => undefined);
    if (!ended) open();
  };

  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
  };
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
