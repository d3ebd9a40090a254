// Short texts for people: durations, clock times, statuses.
import { escapeForTerminal } from "./escape.ts";
import type { RequestInfo } from "../../tunnel.ts";

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

/** `GET /path 200 12 ms`, with the error's code when the edge answered, safe to print. */
export function formatRequest(request: RequestInfo): string {
  const line = `${escapeForTerminal(request.method)} ${escapeForTerminal(request.path)} ${formatStatus(request.status)} ${formatDuration(request.durationMs)}`;
  return request.error ? `${line} (${escapeForTerminal(request.error)})` : line;
}
