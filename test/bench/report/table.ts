// A run as a table of Markdown, for the terminal and for docs/performance.md.
import { summarise, type Report, type Summary } from "./report.ts";

/** The table, with a line below it that says how and when it was made. */
export function formatTable(report: Report): string {
  const rows = summarise(report);
  const columns = COLUMNS.filter(({ always, of }) =>
    always ? true : rows.some((row) => of(row, report) !== ""),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map(({ title }) => title(report))),
    line(columns.map(({ left }) => (left ? "---" : "--:"))),
    ...rows.map((row) =>
      line(
        columns.map(({ of }, index) =>
          row.problem !== undefined && Number.isNaN(row.value)
            ? ([row.setup, firstLine(row.problem)][index] ?? "")
            : of(row, report),
        ),
      ),
    ),
    "",
    `\`${report.command}\`, ${report.date}; ${report.rows[0]?.samples.length ?? 0} rounds; ${report.machine}; load before it ${report.loadBefore.toFixed(1)}${report.dropped ? `; **spoilt**: the kernel ran out of memory for sockets and dropped ${report.dropped} segments` : ""}`,
  ].join("\n");
}

interface Column {
  readonly title: (report: Report) => string;
  readonly of: (row: Summary, report: Report) => string;
  readonly always?: boolean;
  readonly left?: boolean;
}

const COLUMNS: readonly Column[] = [
  { title: () => "set-up", of: (row) => row.setup, always: true, left: true },
  {
    title: ({ unit }) => unit,
    of: (row) => number(row.value),
    always: true,
  },
  {
    title: () => "least … most",
    of: (row) => `${number(row.min)} … ${number(row.max)}`,
  },
  {
    title: ({ baseline }) => `ratio to ${baseline}`,
    of: (row) => (Number.isNaN(row.ratio) ? "" : row.ratio.toFixed(2)),
  },
  { title: () => "p50 ms", of: (row) => milliseconds(row.p50Ms) },
  { title: () => "p99 ms", of: (row) => milliseconds(row.p99Ms) },
  {
    title: ({ cpuPer }) => `CPU s per ${cpuPer}`,
    of: (row) =>
      Object.keys(row.cpu).length > 0
        ? sum(Object.values(row.cpu)).toFixed(2)
        : "",
  },
  {
    title: () => "by part",
    of: (row) => record(row.cpu, 2),
    left: true,
  },
  {
    title: () => "MiB",
    of: (row) => record(row.rssMib, 0),
    left: true,
  },
  { title: () => "more", of: (row) => record(row.detail, 1), left: true },
  {
    title: () => "errors",
    of: (row) => (row.errors > 0 ? String(row.errors) : ""),
  },
];

const number = (value: number): string =>
  value >= 100
    ? Math.round(value).toLocaleString("en")
    : Number.isNaN(value)
      ? ""
      : value.toPrecision(3);

const milliseconds = (value: number): string =>
  Number.isNaN(value) ? "" : value.toFixed(2);

const record = (
  values: Readonly<Record<string, number>>,
  digits: number,
): string =>
  Object.entries(values)
    .filter(([, value]) => !Number.isNaN(value))
    .map(([name, value]) => `${name} ${value.toFixed(digits)}`)
    .join(", ");

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

const firstLine = (text: string): string =>
  text.split("\n")[0]!.replaceAll("|", "/").slice(0, 120);
