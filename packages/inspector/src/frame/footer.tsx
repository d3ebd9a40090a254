// The page's foot: how much there is, where it is kept, what was missed.
import type { JSX } from "preact";
import { formatBytes } from "../format/bytes.ts";
import type { ExchangesState } from "../state/exchanges.ts";
import type { SessionState } from "../state/session.ts";

export interface FooterProps {
  readonly client: SessionState;
  readonly list: ExchangesState;
}

export function Footer({ client, list }: FooterProps): JSX.Element {
  const { status } = client;
  const shown = `${list.rows.length}${list.more ? "+" : ""} ${list.rows.length === 1 ? "request" : "requests"}`;
  return (
    <footer class="footer">
      <span>{shown}</span>
      {status && <span>{`history ${formatBytes(status.store.bytes)}`}</span>}
      {status?.store.memoryOnlyBecause !== undefined && (
        <span class="tone-warn">
          {`▲ History in memory only: ${status.store.memoryOnlyBecause}`}
        </span>
      )}
      {status !== undefined && status.store.missed > 0 && (
        <span class="tone-warn">
          {`▲ ${status.store.missed} not captured: too many at once`}
        </span>
      )}
      <span class="spacer" />
      <span class="quiet keys-hint">
        <kbd>j</kbd>
        <kbd>k</kbd> move <kbd>/</kbd> filter <kbd>r</kbd> replay <kbd>?</kbd>{" "}
        all keys
      </span>
      {status && <span class="quiet">{`expose ${status.version}`}</span>}
    </footer>
  );
}
