// docs/errors.md and the error tables say the same, both ways.
import { controlErrorCodes, visitorErrorCodes } from "@expose/protocol";
import { describe, expect, test } from "vitest";
import { clientErrorCodes } from "../../packages/client/src/errors.ts";
import { edgeErrorCodes } from "../../packages/edge/src/errors.ts";
import { readSource } from "./sources.ts";

interface Entry {
  readonly code: string;
  readonly text: string;
}

const sections = new Map(
  readSource("docs/errors.md")
    .split(/^## /m)
    .slice(1)
    .map((section) => [
      section.slice(0, section.indexOf("\n")),
      section.split(/^### /m).slice(1).map(parseEntry),
    ]),
);

function parseEntry(text: string): Entry {
  return { code: /^`([^`]+)`\n/.exec(text)?.[1] ?? text.slice(0, 40), text };
}

const tables = [
  ["The client, `expose`", clientErrorCodes],
  ["The edge, `expose-edge`", edgeErrorCodes],
  ["What the edge tells clients", controlErrorCodes],
  ["What visitors see", visitorErrorCodes],
] as const;

test("the page has a section for each table and no other", () => {
  expect([...sections.keys()]).toEqual(tables.map(([title]) => title));
});

describe.each(tables)("%s", (title, table) => {
  const entries = sections.get(title) ?? [];

  test("has every code of the table, once, and no other", () => {
    expect(entries.map(({ code }) => code).sort()).toEqual(
      Object.keys(table).sort(),
    );
  });

  test.each(entries)("$code says what happened and what to do", ({ text }) => {
    const [, happened = "", advice = ""] =
      /^`[^`]+`\n\n([^]+?)\n\nWhat to do: ([^]+)$/.exec(text) ?? [];
    expect(happened).toMatch(/\w+.*\.$/s);
    expect(advice.trim()).toMatch(/\w+.*\.$/s);
  });

  test.each(entries)("$code has the exit status of the table", (entry) => {
    const row: unknown = Object.entries(table).find(
      ([code]) => code === entry.code,
    )?.[1];
    const exit =
      typeof row === "object" && row && "exit" in row ? row.exit : undefined;
    const said = /^`[^`]+`\n\nExit status (\d+)\. /.exec(entry.text)?.[1];
    expect(said).toBe(exit === undefined ? undefined : String(exit));
  });
});
