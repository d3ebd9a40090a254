import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { fields } from "./derive.ts";
import { configJsonSchema } from "./json-schema.ts";
import { loadConfig } from "./load.ts";
import { configMarkdown } from "./markdown.ts";

const doc = (name: string): string =>
  readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), "utf8");

it("has its reference in docs/configuration.md as `expose-edge schema --markdown` prints it", () => {
  const [, generated] =
    /<!-- edge:begin[^>]*-->\n\n([^]*)\n<!-- edge:end -->/.exec(
      doc("configuration.md"),
    ) ?? [];
  expect(generated).toBe(configMarkdown());
});

it("has its JSON schema in docs/ as `expose-edge schema` prints it", () => {
  expect(JSON.parse(doc("edge-config.schema.json"))).toEqual(
    configJsonSchema(),
  );
});

it("documents each key, flag and variable", () => {
  const text = configMarkdown();
  for (const { key, flag, alias, env } of fields)
    for (const name of [
      key,
      `--${flag}`,
      env,
      ...(alias ? [`--${alias}`] : []),
    ])
      expect(text).toContain(`\`${name}\``);
});

it("describes each key in the JSON schema and refuses others", () => {
  for (const { path } of fields) {
    let schema = configJsonSchema() as Record<string, unknown>;
    for (const step of path) {
      expect(schema["additionalProperties"]).toBe(false);
      schema = (schema["properties"] as Record<string, typeof schema>)[step]!;
    }
    expect(schema["description"]).toMatch(/\S/);
    expect(Object.keys(schema)).not.toContain("kind");
  }
  expect(JSON.stringify(configJsonSchema())).not.toContain('"required"');
});

it("accepts the example in docs/configuration.md", () => {
  const example = /```yaml\n([^]*?)```/.exec(doc("configuration.md"))![1]!;
  expect(loadConfig({ values: parse(example) })).toMatchObject({
    publicUrl: { scheme: "https", port: 443 },
    ingress: { embedded: { listen: [{ host: "::", port: 2222 }] } },
  });
});
