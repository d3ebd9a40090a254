// Short texts for people: durations, clock times, statuses.
import { escapeForTerminal } from "./escape.ts";
import type { RequestInfo } from "../../tunnel.ts";
import type { WebhookFacts } from "@expose/protocol";

/** `<1 ms`, `12 ms`, `1.2 s`, `2 min 3 s`, `1 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1) return "<1 ms";
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Local time of day, as `15:04:05`. */
export function formatClock(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** The status of a response; `---` when the visitor went away before there was one. */
export function formatStatus(status: number): string {
  return status === 0 ? "---" : String(status);
}

/** `GET /path 200 12 ms`, with the error's code when the edge answered, and what webhook it was; safe to print. */
export function formatRequest(request: RequestInfo): string {
  const line = `${escapeForTerminal(request.method)} ${escapeForTerminal(request.path)} ${formatStatus(request.status)} ${formatDuration(request.durationMs)}`;
  return `${line}${formatRequestNotes(request)}`;
}

/** What stands behind a request's line, with a blank in front; empty mostly. Safe to print. */
export function formatRequestNotes({ error, webhook }: RequestInfo): string {
  return [
    error === undefined ? "" : ` (${error})`,
    webhook ? ` ${formatWebhook(webhook)}` : "",
  ]
    .map(escapeForTerminal)
    .join("");
}

/** `stripe invoice.paid ✗ The secret is another one.` */
export function formatWebhook(webhook: WebhookFacts): string {
  const { provider, event, verdict, reason } = webhook;
  const said =
    verdict === "verified"
      ? "✓"
      : `${verdict === "failed" ? "✗" : "(unchecked)"}${reason !== undefined && verdict === "failed" ? ` ${reason}` : ""}`;
  return [provider, event, said].filter((part) => part !== undefined).join(" ");
}
