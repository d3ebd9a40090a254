// The live status as lines of text. Pure: what the terminal shows is a function of what is known and of its size.
import type { RequestInfo, SessionState } from "../../tunnel.ts";
import { escapeForTerminal } from "./escape.ts";
import {
  formatClock,
  formatDuration,
  formatRequestNotes,
  formatStatus,
} from "./format.ts";
import type { Style } from "./style.ts";
import { fitWidth, padWidth, textWidth, wrapWidth } from "./width.ts";

/** One line of the list of tunnels. */
export interface StatusTunnel {
  url: string;
  upstream: string;
  openConnections: number;
  /** Set while the local service does not answer. */
  downReason?: string | undefined;
  /** Set when it was closed while others went on. */
  closedReason?: string | undefined;
}

/** Everything that the status shows. */
export interface Status {
  server: string;
  identity?: string | undefined;
  /** What answers there: `embedded, expose-edge/0.1.0`. */
  behind?: string | undefined;
  state: SessionState;
  /** While reconnecting: how often it was tried, when the next attempt begins, why the last one failed. */
  retry?: { attempt: number; inMs: number; reason: string } | undefined;
  latencyMs?: number | undefined;
  /** Where every request can be looked at, on this machine. */
  inspectorUrl?: string | undefined;
  tunnels: readonly StatusTunnel[];
  requestCount: number;
  /** The newest last. */
  requests: readonly { at: Date; request: RequestInfo }[];
}

const LABEL_COLUMNS = 13;
const MIN_VALUE_COLUMNS = 20;
const METHOD_COLUMNS = 7;
const TIME_COLUMNS = 8;

/**
 * @param size of the terminal; the result has at most `rows - 1` lines, each shorter than `columns`
 * @returns lines with styles in them, for a terminal
 */
export function renderStatus(
  status: Status,
  size: { columns: number; rows: number },
  style: Style,
): string[] {
  // The last column stays free: writing to it makes some terminals wrap.
  const columns = Math.max(1, size.columns - 1);
  const head = [
    ...stateLines(status, columns, style),
    ...field("Server", serverText(status), columns, style.dim, plain),
    ...(status.identity === undefined
      ? []
      : field("Identity", status.identity, columns, style.dim, plain)),
    ...field("Latency", latencyText(status), columns, style.dim, plain),
    ...status.tunnels.flatMap((tunnel) => tunnelLines(tunnel, columns, style)),
    ...(status.inspectorUrl === undefined
      ? []
      : field("Inspector", status.inspectorUrl, columns, style.dim, plain)),
    ...field("Connections", connectionsText(status), columns, style.dim, plain),
  ];
  const room = size.rows - 1 - head.length - 2;
  // Without an edge nobody tells of requests.
  if (room < 1 || status.identity === undefined)
    return head.slice(0, Math.max(1, size.rows - 1));
  const newest = status.requests.slice(-Math.min(room, MAX_REQUEST_LINES));
  return [
    ...head,
    "",
    style.bold(fitWidth("Requests", columns)),
    ...newest.map((entry) => requestLine(entry, columns, style)),
  ];
}

/** How many requests the status shows at most, on terminals with room for them. */
export const MAX_REQUEST_LINES = 10;

const plain = (text: string): string => text;

function stateLines(status: Status, columns: number, style: Style): string[] {
  const { state, retry } = status;
  if (state !== "reconnecting")
    return field(
      "Status",
      state === "online" ? "online   (Ctrl-C to stop)" : state,
      columns,
      style.dim,
      state === "online" ? style.green : style.yellow,
    );
  const when =
    retry && retry.inMs > 0
      ? `next attempt in ${Math.ceil(retry.inMs / 1_000)} s`
      : "trying now";
  return [
    ...field(
      "Status",
      `reconnecting (${retry ? `attempt ${retry.attempt}, ` : ""}${when})`,
      columns,
      style.dim,
      style.yellow,
    ),
    ...(retry ? field("", retry.reason, columns, style.dim, plain) : []),
  ];
}

function serverText({ server, behind }: Status): string {
  return behind === undefined ? server : `${server} (${behind})`;
}

function latencyText({ latencyMs, state }: Status): string {
  return latencyMs === undefined || state !== "online"
    ? "-"
    : formatDuration(latencyMs);
}

function connectionsText({ tunnels, requestCount, identity }: Status): string {
  const open = tunnels.reduce(
    (sum, { openConnections }) => sum + openConnections,
    0,
  );
  if (identity === undefined) return `${open} open`;
  return `${open} open, ${requestCount} ${requestCount === 1 ? "request" : "requests"}`;
}

// The URL is what it is all about: it is never cut. Where a line is too short for both, the upstream moves to the next;
// where it is too short for the URL, the URL is wrapped at the very left, so that it can be selected as one piece.
function tunnelLines(
  tunnel: StatusTunnel,
  columns: number,
  style: Style,
): string[] {
  const url = escapeForTerminal(tunnel.url);
  const target = `-> ${escapeForTerminal(tunnel.upstream)}`;
  const label = style.dim(padWidth("Tunnel", LABEL_COLUMNS));
  const lines: string[] = [];
  if (LABEL_COLUMNS + textWidth(url) + 1 + textWidth(target) <= columns)
    lines.push(`${label}${style.bold(style.cyan(url))} ${target}`);
  else if (LABEL_COLUMNS + textWidth(url) <= columns)
    lines.push(
      `${label}${style.bold(style.cyan(url))}`,
      ...field("", target, columns, style.dim, plain),
    );
  else
    lines.push(
      ...wrapWidth(url, columns).map((part) => style.bold(style.cyan(part))),
      fitWidth(target, columns),
    );
  if (tunnel.closedReason !== undefined)
    lines.push(
      ...field(
        "",
        `closed: ${tunnel.closedReason}`,
        columns,
        style.dim,
        style.red,
      ),
    );
  else if (tunnel.downReason !== undefined)
    lines.push(
      ...field(
        "",
        `local service down: ${tunnel.downReason}`,
        columns,
        style.dim,
        style.yellow,
      ),
    );
  return lines;
}

function requestLine(
  { at, request }: { at: Date; request: RequestInfo },
  columns: number,
  style: Style,
): string {
  const method = escapeForTerminal(request.method);
  const fixed = [
    formatClock(at),
    padWidth(fitWidth(method, METHOD_COLUMNS), METHOD_COLUMNS),
    formatStatus(request.status).padStart(3),
    formatDuration(request.durationMs).padStart(TIME_COLUMNS),
  ];
  const start = fixed.join(" ");
  if (textWidth(start) >= columns) return fitWidth(start, columns);
  const path = escapeForTerminal(request.path) + formatRequestNotes(request);
  return [
    style.dim(fixed[0]!),
    fixed[1]!,
    statusStyle(request.status, style)(fixed[2]!),
    style.dim(fixed[3]!),
    fitWidth(path, columns - textWidth(start) - 1),
  ].join(" ");
}

function statusStyle(status: number, style: Style): (text: string) => string {
  if (status === 0 || status >= 500) return style.red;
  if (status >= 400) return style.yellow;
  return style.green;
}

// A labelled line. Narrow terminals get the value alone.
function field(
  label: string,
  value: string,
  columns: number,
  styleLabel: (text: string) => string,
  styleValue: (text: string) => string,
): string[] {
  const text = escapeForTerminal(value);
  if (columns < LABEL_COLUMNS + MIN_VALUE_COLUMNS)
    return [styleValue(fitWidth(text, columns))];
  const shown = fitWidth(text, columns - LABEL_COLUMNS);
  return [styleLabel(padWidth(label, LABEL_COLUMNS)) + styleValue(shown)];
}
