// The filter language in the help of the commands that take one, from the table that the page and docs/filters.md show.
import { filterKeys, filterRules } from "@expose/protocol/filter-syntax";

/** Gives the lines: what holds for all filters, and an example and the meaning of each key. */
export function filterHelp(): string {
  const width = Math.max(...filterKeys.map(({ example }) => example.length));
  return [
    "Filters:",
    ...filterRules.map((rule) => `  ${rule.replaceAll("`", "")}`),
    "",
    ...filterKeys.map(
      ({ example, meaning }) =>
        `  ${example.padEnd(width)}  ${meaning.replaceAll("`", "")}`,
    ),
  ].join("\n");
}
