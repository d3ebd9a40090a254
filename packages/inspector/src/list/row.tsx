// One line of the list, or two where the list is narrow.
import type { ExchangeSummary } from "@expose/protocol";
import type { JSX } from "preact";
import { memo } from "../ui/memo.ts";
import { formatBytes } from "../format/bytes.ts";
import { formatDuration } from "../format/duration.ts";
import { describeOutcome } from "../format/status.ts";
import { formatIso, formatTime } from "../format/time.ts";
import { describeVerdict } from "../format/verdict.ts";

/** Id of a row's element. */
export const rowId = (id: string): string => `row-${id}`;

export interface RowProps {
  readonly exchange: ExchangeSummary;
  readonly index: number;
  /** Pixels below the start of the list. */
  readonly top: number;
  readonly selected: boolean;
  onSelect(id: string): void;
}

export const Row = memo(function Row(props: RowProps): JSX.Element {
  const { exchange, index, top, selected } = props;
  const outcome = describeOutcome(exchange);
  const kind = KINDS[exchange.kind];
  return (
    <div
      id={rowId(exchange.id)}
      class={selected ? "row selected" : "row"}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => props.onSelect(exchange.id)}
    >
      <span
        class="cell time"
        role="gridcell"
        title={formatIso(exchange.startedAt)}
      >
        {formatTime(exchange.startedAt)}
      </span>
      <span class="cell method" role="gridcell">
        {exchange.method || "—"}
      </span>
      <span class={`cell status tone-${outcome.tone}`} role="gridcell">
        <span class="mark" aria-hidden="true">
          {outcome.mark}
        </span>
        <Said text={outcome.text} aloud={outcome.label} />
      </span>
      <span class="cell path" role="gridcell" title={exchange.target}>
        {kind && <span class="kind">{kind}</span>}
        {exchange.replayOf !== undefined && <span class="kind">replay</span>}
        {exchange.target || exchange.note || "not HTTP"}
      </span>
      <span class="cell tunnel" role="gridcell" title={exchange.origin}>
        {exchange.tunnel}
      </span>
      <span class="cell duration" role="gridcell">
        {exchange.durationMs === undefined
          ? ""
          : formatDuration(exchange.durationMs)}
      </span>
      <span class="cell size" role="gridcell">
        {exchange.messages === undefined
          ? formatBytes(exchange.responseBytes)
          : `${exchange.messages} msg`}
      </span>
      <Webhook exchange={exchange} />
    </div>
  );
});

/** What is seen, and what a screen reader says in its place. */
function Said({ text, aloud }: { text: string; aloud: string }): JSX.Element {
  if (text === aloud) return <>{text}</>;
  return (
    <>
      <span aria-hidden="true">{text}</span>
      <span class="unseen">{aloud}</span>
    </>
  );
}

const KINDS: Partial<Record<ExchangeSummary["kind"], string>> = {
  websocket: "ws",
  events: "sse",
  raw: "tcp",
};

function Webhook({ exchange }: { exchange: ExchangeSummary }): JSX.Element {
  const { webhook } = exchange;
  if (!webhook) return <span class="cell webhook" role="gridcell" />;
  const verdict = describeVerdict(webhook);
  return (
    <span
      class={`cell webhook tone-${verdict.tone}`}
      role="gridcell"
      title={verdict.title}
    >
      <span class="mark" aria-hidden="true">
        {verdict.mark}
      </span>
      {`${webhook.provider} ${webhook.event ?? ""}`}
      <span class="unseen">{`, ${webhook.verdict}`}</span>
    </span>
  );
}
