// One exchange as one line: for `expose logs` and `expose replay`.
import type { ExchangeSummary } from "@expose/protocol";
import { escapeForTerminal } from "./escape.ts";
import { formatClock, formatDuration, formatWebhook } from "./format.ts";

/** `2026-11-22 15:04:05 01J… POST /hook 200 12 ms stripe invoice.paid ✓`, safe to print. */
export function formatExchange(
  summary: ExchangeSummary,
  options: { readonly withTunnel: boolean },
): string {
  const { startedAt, id, kind, tunnel } = summary;
  const at = new Date(startedAt);
  return [
    `${formatDay(at)} ${formatClock(at)}`,
    id,
    options.withTunnel ? `${tunnel}:` : "",
    kind === "raw" ? "(no HTTP)" : `${summary.method} ${summary.target}`,
    formatEnd(summary),
    summary.durationMs === undefined ? "" : formatDuration(summary.durationMs),
    kind === "websocket" || kind === "events"
      ? `${summary.messages ?? 0} ${kind === "events" ? "events" : "messages"}`
      : "",
    summary.webhook ? formatWebhook(summary.webhook) : "",
    summary.replayOf === undefined ? "" : `(replay of ${summary.replayOf})`,
  ]
    .filter((part) => part !== "")
    .map(escapeForTerminal)
    .join(" ");
}

function formatEnd({ status, state }: ExchangeSummary): string {
  const code = status === undefined ? "---" : String(status);
  return state === "complete" || state === "open" ? code : `${code} ${state}`;
}

const formatDay = (date: Date): string =>
  [
    date.getFullYear(),
    String(date.getMonth() + 1).padStart(2, "0"),
    String(date.getDate()).padStart(2, "0"),
  ].join("-");
