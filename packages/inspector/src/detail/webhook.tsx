// What a webhook says of itself, whether its signature holds, and a replay that is signed anew.
import type { Exchange, WebhookFacts } from "@expose/protocol";
import type { JSX } from "preact";
import { replayOnce } from "../api/replay.ts";
import { describeVerdict } from "../format/verdict.ts";
import { Button } from "../ui/button.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { useTask } from "../ui/use-task.ts";

export interface WebhookProps {
  readonly exchange: Exchange;
  readonly webhook: WebhookFacts;
  readonly secrets: readonly string[];
  onShow(id: string): void;
}

export function Webhook(props: WebhookProps): JSX.Element {
  const { exchange, webhook, secrets } = props;
  const { error, start } = useTask();
  const verdict = describeVerdict(webhook);
  const canSign = secrets.includes(webhook.provider);
  const signAgain = (): void =>
    start(
      () => replayOnce(exchange.id, { sign: webhook.provider }),
      props.onShow,
    );
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
        <Button
          look="small"
          disabled={!canSign}
          title={
            canSign
              ? "Replay with a new signature and the present time"
              : "Needs this provider's secret: see the reason"
          }
          onClick={signAgain}
        >
          Sign again and replay
        </Button>
      </p>
      <p class="webhook-reason">{verdict.title}</p>
      {error !== undefined && (
        <ErrorNote error={error} doing="sign and replay it" />
      )}
    </section>
  );
}
