// WebSocket messages and server-sent events in the order of their time.
import type {
  ExchangeKind,
  ExchangeMessage,
  MessagePage,
} from "@expose/protocol";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call } from "../api/call.ts";
import { messagesPath } from "../api/paths.ts";
import { fromBase64 } from "../format/base64.ts";
import { formatBytes } from "../format/bytes.ts";
import { formatDuration } from "../format/duration.ts";
import { Button } from "../ui/button.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { Hex } from "./body-bytes.tsx";

/** So many are in the document; earlier ones are shown on demand. */
const SHOWN = 200;
const PREVIEW_CHARACTERS = 200;

export interface MessagesProps {
  readonly id: string;
  /** How many there are by now: more are fetched when it grows. */
  readonly count: number;
  readonly kind: ExchangeKind;
}

export function Messages({ id, count, kind }: MessagesProps): JSX.Element {
  const { items, cut, error, retry } = useMessages(id, count);
  const [shown, setShown] = useState(SHOWN);
  const title = kind === "events" ? "Events" : "Messages";
  const visible = items.slice(-shown);
  return (
    <section class="messages" aria-label={title}>
      <h3>
        {title} <span class="quiet">{count}</span>
      </h3>
      {error !== undefined && (
        <ErrorNote error={error} doing="load the messages" onRetry={retry} />
      )}
      {visible.length < items.length && (
        <Button onClick={() => setShown(shown * 4)}>
          {`Show earlier ones (${items.length - visible.length})`}
        </Button>
      )}
      <ol class="timeline">
        {visible.map((message) => (
          <Message key={message.index} message={message} />
        ))}
      </ol>
      {cut && (
        <p class="tone-warn">{`▲ The first ${items.length} are kept.`}</p>
      )}
    </section>
  );
}

function Message({ message }: { message: ExchangeMessage }): JSX.Element {
  const isIn = message.direction === "in";
  const isText = message.encoding === "utf8";
  const isLong = message.data.length > PREVIEW_CHARACTERS || !isText;
  return (
    <li class={isIn ? "message in" : "message out"}>
      <span class="message-at">{formatDuration(message.atMs)}</span>
      <span class="message-direction">
        <span aria-hidden="true">{isIn ? "↑" : "↓"}</span>
        <span class="unseen">
          {isIn ? "from the visitor" : "to the visitor"}
        </span>
      </span>
      <span class="message-type">{describeType(message)}</span>
      <span class="message-size quiet">{formatBytes(message.bytes)}</span>
      <div class="message-data">
        {isLong ? (
          <details>
            <summary>
              <code>
                {isText
                  ? `${message.data.slice(0, PREVIEW_CHARACTERS)}…`
                  : describeBinary(message)}
              </code>
            </summary>
            {isText ? (
              <pre class="code" role="group" aria-label="Message" tabIndex={0}>
                {message.data}
              </pre>
            ) : (
              <Hex bytes={fromBase64(message.data)} />
            )}
          </details>
        ) : (
          <code>{message.data}</code>
        )}
        {message.keptBytes < message.bytes && (
          <span class="tone-warn">{`▲ the first ${formatBytes(message.keptBytes)} are kept`}</span>
        )}
      </div>
    </li>
  );
}

function describeType(message: ExchangeMessage): string {
  const parts: (string | number | undefined)[] = [
    message.type === "event" ? (message.event ?? "message") : message.type,
    message.closeCode,
    message.eventId === undefined ? undefined : `id ${message.eventId}`,
    message.compressed ? "deflate" : undefined,
    message.frames === undefined ? undefined : `${message.frames} frames`,
  ];
  return parts.filter((part) => part !== undefined).join(" · ");
}

/** Bytes that are seen of what is not text. */
const PREVIEW_BYTES = 16;

function describeBinary({ data, bytes }: ExchangeMessage): string {
  // Four characters a group of three bytes.
  const start = fromBase64(data.slice(0, 4 * Math.ceil(PREVIEW_BYTES / 3)));
  const hex = [...start.subarray(0, PREVIEW_BYTES)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join(" ");
  return bytes > PREVIEW_BYTES ? `${hex} …` : hex;
}

interface Fetched {
  readonly id: string;
  readonly items: readonly ExchangeMessage[];
  /** How many there were when the client had no more to give: it keeps the first ones alone. */
  readonly endedAt: number | undefined;
}

/** Fetches what is not here yet whenever there are more. */
function useMessages(
  id: string,
  count: number,
): {
  items: readonly ExchangeMessage[];
  /** Whether there are more than the client keeps. */
  cut: boolean;
  error: unknown;
  retry(): void;
} {
  const [state, setState] = useState<Fetched>({
    id,
    items: [],
    endedAt: undefined,
  });
  const [error, setError] = useState<unknown>();
  const [tries, setTries] = useState(0);
  const { items, endedAt }: Omit<Fetched, "id"> =
    state.id === id ? state : { items: [], endedAt: undefined };
  const after = items.at(-1)?.index;
  const isBehind = count > (after ?? -1) + 1;
  // A request under way goes on when there are still more meanwhile: it brings them, or is followed by another.
  const wants = isBehind && endedAt !== count;
  useEffect(() => {
    if (!wants) return;
    const controller = new AbortController();
    setError(undefined);
    call<MessagePage>(messagesPath(id, after), {
      signal: controller.signal,
    }).then(
      (page) => {
        if (controller.signal.aborted) return;
        setState({
          id,
          items: [...items, ...page.items],
          endedAt: page.items.length === 0 ? count : undefined,
        });
      },
      (reason: unknown) => {
        if (!controller.signal.aborted) setError(reason);
      },
    );
    return () => controller.abort();
  }, [id, after, wants, tries]);
  return {
    items,
    cut: isBehind && endedAt !== undefined,
    error,
    retry: () => setTries(tries + 1),
  };
}
