// Puts kept figures into docs/performance.md, between its marks, and draws a plot for each table.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { inRoot } from "../paths.ts";
import { drawPlot } from "./plot.ts";
import { readReports } from "./report.ts";
import { formatTable } from "./table.ts";

const PAGE = inRoot("docs/performance.md");
const PRETTIER = inRoot("node_modules/prettier/bin/prettier.cjs");
const PLOTS = inRoot("docs/performance");
// <!-- bench:NAME --> … <!-- /bench -->
const MARKS = /(<!-- bench:(\S+) -->\n)[^]*?(<!-- \/bench -->)/g;

/** Writes table and plot of every run that the page names and that was kept. @returns what it did, for a person */
export function writeDocument(): string {
  const reports = new Map(readReports().map((report) => [report.name, report]));
  const done: string[] = [];
  const missing: string[] = [];
  mkdirSync(PLOTS, { recursive: true });
  const page = readFileSync(PAGE, "utf8").replace(
    MARKS,
    (whole, open: string, name: string, close: string) => {
      const report = reports.get(name);
      if (!report) {
        missing.push(name);
        return whole;
      }
      done.push(name);
      writeFileSync(`${PLOTS}/${name}.svg`, drawPlot(report));
      return `${open}\n![${report.about}](performance/${name}.svg)\n\n${formatTable(report)}\n\n${close}`;
    },
  );
  writeFileSync(PAGE, page);
  // Prettier aligns the columns of tables, and `npm test` looks whether it has.
  execFileSync(process.execPath, [
    PRETTIER,
    "--log-level=warn",
    "--write",
    PAGE,
  ]);
  return [
    `written: ${done.join(", ") || "nothing"}`,
    ...(missing.length > 0
      ? [`left as they were, no figures kept: ${missing.join(", ")}`]
      : []),
  ].join("\n");
}
