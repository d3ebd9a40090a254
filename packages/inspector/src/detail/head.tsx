// The head of the details: what the exchange is, and what can be done with it.
import type { Exchange, ExchangeSummary } from "@expose/protocol";
import type { JSX } from "preact";
import { formatDuration } from "../format/duration.ts";
import { describeOutcome } from "../format/status.ts";
import { formatIso, formatTime } from "../format/time.ts";
import { Button } from "../ui/button.tsx";
import { CopyAs } from "./copy-as.tsx";

/** Method, target and outcome. */
export function Title({
  exchange,
}: {
  exchange: ExchangeSummary;
}): JSX.Element {
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

/** Where it came from and went, and how long it took. */
export function Facts(props: {
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

export interface ActionsProps {
  readonly id: string;
  /** Once it is loaded. */
  readonly exchange: Exchange | undefined;
  onReplay(): void;
  onEdit(): void;
  onClose(): void;
}

/** What can be done with an exchange. */
export function Actions(props: ActionsProps): JSX.Element {
  const { exchange, id } = props;
  const canReplay = exchange?.request !== undefined;
  return (
    <div class="detail-actions">
      <Button
        look="strong"
        icon="replay"
        title="Replay as it was (r)"
        disabled={!canReplay}
        onClick={props.onReplay}
      >
        Replay
      </Button>
      <Button
        icon="edit"
        title="Edit and replay (e)"
        disabled={!canReplay}
        onClick={props.onEdit}
      >
        Edit
      </Button>
      {canReplay && <CopyAs key={id} id={id} />}
      <span class="spacer" />
      <Button
        look="round"
        icon="close"
        label="Close the details"
        title="Close (Esc)"
        onClick={props.onClose}
      />
    </div>
  );
}
