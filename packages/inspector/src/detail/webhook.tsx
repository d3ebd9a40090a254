// What a webhook says of itself, whether its signature holds, and a replay that is signed anew.
import type { Exchange, WebhookFacts } from "@expose/protocol";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { describeVerdict } from "../format/verdict.ts";
import { replayOnce } from "../api/replay.ts";
import { ErrorNote } from "../ui/error-note.tsx";

export interface WebhookProps {
  readonly exchange: Exchange;
  readonly webhook: WebhookFacts;
  readonly secrets: readonly string[];
  onShow(id: string): void;
}

export function Webhook(props: WebhookProps): JSX.Element {
  const { exchange, webhook, secrets } = props;
  const [error, setError] = useState<unknown>();
  const verdict = describeVerdict(webhook);
  const signAgain = (): void => {
    setError(undefined);
    replayOnce(exchange.id, { sign: webhook.provider }).then(
      props.onShow,
      setError,
    );
  };
  return (
    <section class={`webhook-card tone-${verdict.tone}`} aria-label="Webhook">
      <p class="webhook-line">
        <span class="webhook-mark" aria-hidden="true">
          {verdict.mark}
        </span>
        <strong>{webhook.provider}</strong>
        {webhook.event !== undefined && <code>{webhook.event}</code>}
        <span>{`signature ${verdict.text}`}</span>
        <span class="spacer" />
        <button
          type="button"
          class="button small"
          disabled={!secrets.includes(webhook.provider)}
          title={
            secrets.includes(webhook.provider)
              ? "Replay with a new signature and the present time"
              : "Needs this provider's secret: see the reason"
          }
          onClick={signAgain}
        >
          Sign again and replay
        </button>
      </p>
      <p class="webhook-reason">{verdict.title}</p>
      {error !== undefined && (
        <ErrorNote error={error} doing="sign and replay it" />
      )}
    </section>
  );
}
