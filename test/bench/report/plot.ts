// Draws a run as SVG: a bar for each set-up's median with a line from its least to its most, and what CPU time each part took.
import { summarise, type Report, type Summary } from "./report.ts";

const WIDTH = 900;
const LABEL_WIDTH = 150;
const ROW_HEIGHT = 26;
const HEAD_HEIGHT = 44;
// One colour a part, readable on light and dark pages.
const COLOURS: Readonly<Record<string, string>> = {
  edge: "#4c78a8",
  workers: "#72b7b2",
  sshd: "#f58518",
  client: "#54a24b",
  upstream: "#9d755d",
  visitors: "#b0b7c3",
};

/** The whole SVG document. */
export function drawPlot(report: Report): string {
  const rows = summarise(report).filter(({ value }) => !Number.isNaN(value));
  const panels = [valuePanel(report, rows)];
  if (rows.some(({ cpu }) => Object.keys(cpu).length > 0))
    panels.push(cpuPanel(report, rows));
  const panelWidth = (WIDTH - LABEL_WIDTH) / panels.length;
  const height = HEAD_HEIGHT + rows.length * ROW_HEIGHT + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<style>text { fill: #333 } @media (prefers-color-scheme: dark) { text { fill: #ddd } }</style>
${rows.map((row, index) => text(LABEL_WIDTH - 8, rowMiddle(index) + 4, row.setup, "end")).join("\n")}
${panels.map((panel, index) => `<g transform="translate(${LABEL_WIDTH + index * panelWidth} 0)">\n${panel(panelWidth - 24)}\n</g>`).join("\n")}
</svg>
`;
}

type Panel = (width: number) => string;

const valuePanel =
  (report: Report, rows: readonly Summary[]): Panel =>
  (width) => {
    // Room for the figure behind the longest bar.
    const scale = (width - 60) / Math.max(...rows.map(({ max }) => max));
    return [
      text(0, 16, `${report.unit} (${report.better} is better)`, "start", true),
      ...rows.map((row, index) => {
        const y = rowMiddle(index);
        const x = (value: number): string => (value * scale).toFixed(1);
        return [
          `<rect x="0" y="${y - 8}" width="${x(row.value)}" height="16" fill="${colourOf(row.setup)}"/>`,
          `<path d="M${x(row.min)} ${y}H${x(row.max)}" stroke="#888" stroke-width="2"/>`,
          text(row.max * scale + 5, y + 4, short(row.value), "start"),
        ].join("");
      }),
    ].join("\n");
  };

const cpuPanel =
  (report: Report, rows: readonly Summary[]): Panel =>
  (width) => {
    const total = (row: Summary): number =>
      Object.values(row.cpu).reduce((sum, value) => sum + value, 0);
    const scale = (width - 60) / Math.max(...rows.map(total));
    const roles = Object.keys(COLOURS).filter((role) =>
      rows.some(({ cpu }) => (cpu[role] ?? 0) > 0),
    );
    return [
      text(0, 16, `CPU s per ${report.cpuPer} (less is better)`, "start", true),
      ...roles.map((role, index) =>
        [
          `<rect x="${index * 80}" y="25" width="10" height="10" fill="${COLOURS[role]}"/>`,
          text(index * 80 + 14, 34, role, "start"),
        ].join(""),
      ),
      ...rows.map((row, index) => {
        const y = rowMiddle(index);
        let x = 0;
        const bars = roles.map((role) => {
          const width = (row.cpu[role] ?? 0) * scale;
          const bar = `<rect x="${x.toFixed(1)}" y="${y - 8}" width="${width.toFixed(1)}" height="16" fill="${COLOURS[role]}"/>`;
          x += width;
          return bar;
        });
        return `${bars.join("")}${text(x + 5, y + 4, total(row).toFixed(2), "start")}`;
      }),
    ].join("\n");
  };

const rowMiddle = (index: number): number =>
  HEAD_HEIGHT + index * ROW_HEIGHT + ROW_HEIGHT / 2;

/** Ours stand out. */
const colourOf = (setup: string): string =>
  /^(embedded|openssh)/.test(setup) ? "#4c78a8" : "#b0b7c3";

const text = (
  x: number,
  y: number,
  content: string,
  anchor: "start" | "end",
  bold = false,
): string =>
  `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}"${bold ? ' font-weight="bold"' : ""}>${escapeXml(content)}</text>`;

const escapeXml = (content: string): string =>
  content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");

const short = (value: number): string =>
  value >= 10_000
    ? `${(value / 1_000).toFixed(1)}k`
    : value >= 100
      ? String(Math.round(value))
      : value.toPrecision(3);
