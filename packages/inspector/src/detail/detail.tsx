// Everything about one exchange: request and response side by side, what happened when, and what can be done with it.
import type { Exchange, ExchangeSummary } from "@expose/protocol";
import type { JSX, RefObject } from "preact";
import { call } from "../api/call.ts";
import { exchangePath } from "../api/paths.ts";
import { formatDuration } from "../format/duration.ts";
import { describeOutcome } from "../format/status.ts";
import { formatIso, formatTime } from "../format/time.ts";
import { ErrorNote } from "../ui/error-note.tsx";
import { Icon } from "../ui/icon.tsx";
import { useLoad } from "../ui/use-load.ts";
import { useThrottled } from "../ui/use-throttled.ts";
import { CompareWithOriginal } from "./compare.tsx";
import { CopyAs } from "./copy-as.tsx";
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
          exchange={exchange}
          webhook={exchange.webhook}
          secrets={secrets}
          onShow={props.onShow}
        />
      )}
      {exchange.replayOf !== undefined && exchange.state !== "open" && (
        <CompareWithOriginal
          original={exchange.replayOf}
          id={exchange.id}
          onShow={props.onShow}
        />
      )}
      <Timing timing={exchange.timing} durationMs={exchange.durationMs} />
      {exchange.messages !== undefined && (
        <Messages
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

function Title({ exchange }: { exchange: ExchangeSummary }): JSX.Element {
  const outcome = describeOutcome(exchange);
  return (
    <h2 class="detail-title">
      <span class="method">{exchange.method || "Connection"}</span>{" "}
      <span class="target">{exchange.target}</span>{" "}
      <span class={`status tone-${outcome.tone}`}>
        <span aria-hidden="true">{outcome.mark} </span>
        {outcome.label}
      </span>
    </h2>
  );
}

function Facts(props: {
  exchange: Exchange;
  onShow(id: string): void;
}): JSX.Element {
  const { exchange } = props;
  const facts: [string, JSX.Element | string][] = [
    [
      "At",
      <time key="at" dateTime={formatIso(exchange.startedAt)}>
        {formatTime(exchange.startedAt)}
      </time>,
    ],
    ["Tunnel", exchange.tunnel],
    ["To", exchange.upstream],
  ];
  if (exchange.visitor !== undefined) facts.push(["From", exchange.visitor]);
  if (exchange.durationMs !== undefined)
    facts.push(["Took", formatDuration(exchange.durationMs)]);
  const { replayOf } = exchange;
  if (replayOf !== undefined)
    facts.push([
      "Repeats",
      <button
        key="original"
        type="button"
        class="link"
        onClick={() => props.onShow(replayOf)}
      >
        the original
      </button>,
    ]);
  return (
    <>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {exchange.note !== undefined && (
        <p class="note tone-warn">{`▲ ${exchange.note}`}</p>
      )}
    </>
  );
}

function Actions(
  props: DetailProps & { exchange: Exchange | undefined },
): JSX.Element {
  const { exchange, id } = props;
  const canReplay = exchange?.request !== undefined;
  return (
    <div class="detail-actions">
      <button
        type="button"
        class="button strong"
        disabled={!canReplay}
        title="Replay as it was (r)"
        onClick={props.onReplay}
      >
        <Icon name="replay" />
        Replay
      </button>
      <button
        type="button"
        class="button"
        disabled={!canReplay}
        title="Edit and replay (e)"
        onClick={props.onEdit}
      >
        <Icon name="edit" />
        Edit
      </button>
      {canReplay && <CopyAs id={id} />}
      <span class="spacer" />
      <button
        type="button"
        class="button round"
        aria-label="Close the details"
        title="Close (Esc)"
        onClick={props.onClose}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
