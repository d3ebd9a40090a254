// Everything about one exchange: request and response side by side, what happened when, and what can be done with it.
import type { Exchange, ExchangeSummary } from "@expose/protocol";
import type { JSX, RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { call } from "../api/call.ts";
import { exchangePath } from "../api/paths.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { useLoad } from "../ui/use-load.ts";
import { useThrottled } from "../ui/use-throttled.ts";
import { CompareWithOriginal } from "./compare.tsx";
import { Actions, Facts, Title } from "./head.tsx";
import { MessageView } from "./message-view.tsx";
import { Messages } from "./messages.tsx";
import { Timing } from "./timing.tsx";
import { Webhook } from "./webhook.tsx";

export interface DetailProps {
  readonly id: string;
  /** From the list, when it is there: says when to look again. */
  readonly summary: ExchangeSummary | undefined;
  /** Providers that can be signed for. */
  readonly secrets: readonly string[];
  readonly panelRef: RefObject<HTMLElement | null>;
  readonly replayError: unknown;
  onClose(): void;
  onShow(id: string): void;
  onReplay(): void;
  onEdit(): void;
}

export function Detail(props: DetailProps): JSX.Element {
  const { id, summary, panelRef } = props;
  const version = useThrottled(
    summary ? versionOf(summary) : "",
    id,
    REFRESH_MS,
  );
  const {
    value: exchange,
    error,
    reload,
  } = useLoad(
    (signal) => call<Exchange>(exchangePath(id), { signal }),
    id,
    version,
  );
  const shown = exchange ?? summary;
  useLayoutEffect(() => {
    if (panelRef.current) panelRef.current.scrollTop = 0;
  }, [id]);
  return (
    <section
      class="detail"
      aria-label="Details of the request"
      tabIndex={-1}
      ref={panelRef}
    >
      <Actions {...props} exchange={exchange} />
      {shown && <Title exchange={shown} />}
      {props.replayError !== undefined && (
        <ErrorNote error={props.replayError} doing="replay it" />
      )}
      {error !== undefined && (
        <ErrorNote error={error} doing="load the details" onRetry={reload} />
      )}
      {exchange && <Facts exchange={exchange} onShow={props.onShow} />}
      {exchange && <Body {...props} exchange={exchange} version={version} />}
    </section>
  );
}

/** A stream of events, or a long download, changes ten times a second. */
const REFRESH_MS = 700;

/** What changes while an exchange goes on, put together. */
const versionOf = (summary: ExchangeSummary): string =>
  [
    summary.state,
    summary.status,
    summary.durationMs,
    summary.requestBytes,
    summary.responseBytes,
    summary.webhook?.verdict,
  ].join(" ");

function Body(
  props: DetailProps & { exchange: Exchange; version: string },
): JSX.Element {
  const { exchange, secrets, summary, version } = props;
  return (
    <>
      {exchange.webhook && (
        <Webhook
          key={exchange.id}
          exchange={exchange}
          webhook={exchange.webhook}
          secrets={secrets}
          onShow={props.onShow}
        />
      )}
      {exchange.replayOf !== undefined && exchange.state !== "open" && (
        <CompareWithOriginal original={exchange.replayOf} id={exchange.id} />
      )}
      <Timing timing={exchange.timing} durationMs={exchange.durationMs} />
      {exchange.messages !== undefined && (
        <Messages
          key={exchange.id}
          id={exchange.id}
          count={summary?.messages ?? exchange.messages}
          kind={exchange.kind}
        />
      )}
      <div class="sides">
        {exchange.request && (
          <MessageView
            side="request"
            exchange={exchange}
            message={exchange.request}
            version={version}
          />
        )}
        {exchange.response ? (
          <MessageView
            side="response"
            exchange={exchange}
            message={exchange.response}
            version={version}
          />
        ) : (
          exchange.request && <NoResponse exchange={exchange} />
        )}
      </div>
    </>
  );
}

function NoResponse({ exchange }: { exchange: Exchange }): JSX.Element {
  return (
    <section class="side" aria-label="Response">
      <h3>Response</h3>
      <p class="quiet">
        {exchange.state === "open"
          ? "Nothing yet: the service has not answered."
          : (exchange.note ?? "There was none.")}
      </p>
    </section>
  );
}
