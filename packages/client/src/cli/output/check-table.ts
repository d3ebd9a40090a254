// The findings of `expose doctor` as lines of text.
import type { Check, CheckStatus } from "../doctor/check.ts";
import { escapeForTerminal } from "./escape.ts";
import type { Style } from "./style.ts";
import { padWidth } from "./width.ts";

const NAME_COLUMNS = 12;

/** One finding: a line for what was found, and one for what to do. */
export function renderCheck(check: Check, style: Style): string[] {
  const colour = styleOf(check.status, style);
  const name = padWidth(check.name, NAME_COLUMNS);
  const lines = [
    `${colour(check.status)}  ${name}  ${escapeForTerminal(check.detail)}`,
  ];
  if (check.action !== undefined)
    lines.push(
      `      ${" ".repeat(NAME_COLUMNS)}  -> ${escapeForTerminal(check.action)}`,
    );
  return lines;
}

/** The last line: how many of the findings are bad. */
export function renderSummary(checks: readonly Check[]): string {
  const count = (status: CheckStatus): number =>
    checks.filter((check) => check.status === status).length;
  const failed = count("FAIL");
  const warned = count("WARN");
  if (failed === 0 && warned === 0) return "All is well.";
  return [
    failed > 0 ? `${failed} failed` : undefined,
    warned > 0 ? `${warned} to look at` : undefined,
    `${count("PASS")} passed.`,
  ]
    .filter((part) => part !== undefined)
    .join(", ");
}

function styleOf(status: CheckStatus, style: Style): (text: string) => string {
  switch (status) {
    case "PASS":
      return style.green;
    case "WARN":
      return style.yellow;
    case "FAIL":
      return style.red;
    case "SKIP":
      return style.dim;
  }
}
