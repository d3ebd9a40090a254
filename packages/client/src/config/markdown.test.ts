// docs/configuration.md has the reference that the schema gives.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { environmentVariables } from "./environment.ts";
import { checkConfig } from "./check.ts";
import { clientReference, documentedKeys } from "./markdown.ts";
import { parseYamlFile } from "./yaml-file.ts";

const PAGE = fileURLToPath(
  new URL("../../../../docs/configuration.md", import.meta.url),
);
const page = readFileSync(PAGE, "utf8");
const GENERATED = /(<!-- client:begin[^>]*-->\n\n)[^]*?(\n<!-- client:end -->)/;

test("the page holds the reference; `npx vitest run --project unit client/src/config/markdown -u` writes it", async () => {
  expect(page).toMatch(GENERATED);
  await expect(
    page.replace(GENERATED, (_all, begin: string, end: string) =>
      [begin, clientReference(), end].join(""),
    ),
  ).toMatchFileSnapshot(PAGE);
});

test("every key and variable has a kind and a meaning", () => {
  for (const { key, kind, description } of documentedKeys()) {
    expect([key, kind]).toEqual([
      key,
      expect.stringMatching(/^[A-Za-z0-9|]+$/),
    ]);
    expect([key, description]).toEqual([key, expect.stringMatching(/\.$/)]);
  }
  for (const meaning of Object.values(environmentVariables))
    expect(meaning).toMatch(/\.$/);
});

test("the page's example is a configuration without a mistake", () => {
  const client = page.slice(page.indexOf("\n## The client"));
  const example = /```yaml\n([^]*?)```/.exec(client)![1]!;
  expect(
    Object.keys(checkConfig("c.yaml", parseYamlFile("c.yaml", example))),
  ).toEqual(["server", "identity", "tunnels", "inspect"]);
});
