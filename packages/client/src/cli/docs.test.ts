import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clientErrorCodes } from "../errors.ts";
import { commandTable } from "./command-table.ts";
import { createProgram } from "./program.ts";

const page = readFileSync(
  join(import.meta.dirname, "../../../../docs/cli.md"),
  "utf8",
);
const program = createProgram({ help() {}, columns: 80 }, () => {});

/** The part of the page below a heading, up to the next one of the same rank. */
function section(heading: string): string {
  const parts = page.split(/^## /m);
  const found = parts.find((part) => part.startsWith(`${heading}\n`));
  expect(found, `the section "${heading}"`).toBeDefined();
  return found!;
}

/** First cells of the rows whose first cell is about something in backquotes. */
const firstCells = (text: string): string[] =>
  [...text.matchAll(/^\| (`[^|]*`(?:, `[^|]*`)*) *\|/gm)].map(
    (match) => match[1]!,
  );

test("the page has a section for each command, and for no other", () => {
  const documented = [...page.matchAll(/^## `expose (\w+)`$/gm)].map(
    (match) => match[1],
  );
  const commands = program.commands.map((command) => command.name());
  expect(documented).toEqual(commands);
});

test.each(commandTable.map(({ name }) => name))(
  "the flags of expose %s are those of the page",
  (name) => {
    const documented = firstCells(section(`\`expose ${name}\``))
      .filter((cell) => cell.startsWith("`-"))
      .map((cell) => cell.match(/--?[a-z][a-z-]*/g)!.join(" "));
    const command = program.commands.find((found) => found.name() === name)!;
    const flags = command.options.map(({ short, long }) =>
      [short, long].filter((flag) => flag !== undefined).join(" "),
    );
    expect(documented).toEqual(flags);
  },
);

test("the exit statuses are those of the error table", () => {
  const documented = [
    ...section("Exit statuses").matchAll(/^\| (\d+) +\| (.*?) *\|$/gm),
  ].flatMap((match) =>
    [...match[2]!.matchAll(/`([a-z-]+)`/g)].map(
      ([, code]) => `${code} ${match[1]}`,
    ),
  );
  const known = Object.entries(clientErrorCodes).map(
    ([code, { exit }]) => `${code} ${exit}`,
  );
  expect(documented.toSorted()).toEqual(known.toSorted());
});

test("the events are those that are printed", () => {
  const documented = [
    ...section("Events of `--json`").matchAll(/^\| `(\w+)` /gm),
  ].map(([, name]) => name);
  const printed = [
    "output/json.ts",
    "commands/login.ts",
    "commands/doctor.ts",
    "commands/logs.ts",
    "commands/show.ts",
    "commands/replay.ts",
    "commands/send.ts",
  ]
    .map((file) => readFileSync(join(import.meta.dirname, file), "utf8"))
    .flatMap((source) => [
      ...source.matchAll(/(?:emit|encodeEvent)\(\s*"(\w+)"/g),
    ])
    .map(([, name]) => name);
  expect(documented.toSorted()).toEqual([...new Set(printed)].toSorted());
});
