// What replays have brought, as lines for people.
import type { ComparedBody, ComparedValue } from "@expose/protocol";
import { escapeForTerminal } from "./escape.ts";
import { formatDuration, formatStatus } from "./format.ts";
import { padWidth } from "./width.ts";

/** The part of a replay's result that is shown. */
export interface ShownReplay {
  readonly original: {
    readonly id: string;
    readonly method: string;
    readonly target: string;
    readonly status?: number;
    readonly durationMs?: number;
  };
  readonly exchange:
    | {
        readonly id: string;
        readonly status?: number;
        readonly durationMs?: number;
      }
    | undefined;
  readonly error:
    { readonly code: string; readonly message: string } | undefined;
  readonly sameClass: boolean;
  readonly comparison:
    | {
        readonly headers: readonly ComparedValue[];
        readonly body: ComparedBody;
      }
    | undefined;
  readonly changes: number | undefined;
}

const MAX_LINES = 200;

/** One replay with all that differs. */
export function formatReplay(result: ShownReplay): string[] {
  const { original, exchange, error, comparison } = result;
  const lines = [
    `${formatRequestOf(result)}  ${formatChange(result)}${exchange?.durationMs === undefined ? "" : `  ${formatDuration(exchange.durationMs)}`}`,
    ...(error ? [`${escapeForTerminal(error.message)} [${error.code}]`] : []),
    ...(comparison ? differences(comparison) : []),
    exchange
      ? `Original ${original.id}, replay ${exchange.id}`
      : `Original ${original.id}`,
  ];
  return lines;
}

/** A table of several, and how many of them differ. */
export function formatReplays(results: readonly ShownReplay[]): string[] {
  const rows = results.map((result) => [
    result.original.id,
    formatRequestOf(result),
    formatChange(result),
    result.error
      ? `${escapeForTerminal(result.error.message)} [${result.error.code}]`
      : formatCount(result.changes),
  ]);
  const table = [["original", "request", "status", "changes"], ...rows];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...table.map((row) => row[column]!.length)),
  );
  const differing = results.filter(({ sameClass }) => !sameClass).length;
  return [
    ...table.map((row) =>
      row
        .map((cell, column) => padWidth(cell, widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    ),
    `${results.length - differing} of ${results.length} have a status of the same class as before.`,
  ];
}

const formatRequestOf = ({ original }: ShownReplay): string =>
  escapeForTerminal(`${original.method} ${original.target}`);

function formatChange({ original, exchange, sameClass }: ShownReplay): string {
  const before = formatStatus(original.status ?? 0);
  const after = formatStatus(exchange?.status ?? 0);
  return `${before} -> ${after}${sameClass ? "" : " !"}`;
}

const formatCount = (changes: number | undefined): string =>
  changes === undefined ? "-" : changes === 0 ? "none" : String(changes);

function differences({
  headers,
  body,
}: NonNullable<ShownReplay["comparison"]>): string[] {
  const lines = [
    ...headers.flatMap((value) => valueLines(value, ": ")),
    ...bodyLines(body),
  ];
  if (lines.length <= MAX_LINES) return lines;
  return [
    ...lines.slice(0, MAX_LINES),
    `(${lines.length - MAX_LINES} more lines of differences)`,
  ];
}

function bodyLines(body: ComparedBody): string[] {
  const cut = body.truncated ? ["(the bodies were compared in part)"] : [];
  switch (body.kind) {
    case "same":
      return cut;
    case "binary":
      return ["The bodies differ, and are no text.", ...cut];
    case "json":
      return [
        ...(body.changes ?? []).flatMap((value) => valueLines(value, " ")),
        ...cut,
      ];
    case "text":
      return [
        ...(body.lines ?? []).flatMap(({ kind, text }) =>
          kind === "same"
            ? []
            : [`${kind === "added" ? "+" : "-"} ${escapeForTerminal(text)}`],
        ),
        ...cut,
      ];
  }
}

function valueLines(
  { path, left, right }: ComparedValue,
  between: string,
): string[] {
  const line = (sign: string, value: string): string =>
    `${sign} ${escapeForTerminal(`${path}${between}${value}`)}`;
  return [
    ...(left === undefined ? [] : [line("-", left)]),
    ...(right === undefined ? [] : [line("+", right)]),
  ];
}
