// The reference of all keys in Markdown, for docs/configuration.md.
import { fields, sections, type Field } from "./derive.ts";

/** @returns one table for each section, each key with its flag, variable, default and description */
export function configMarkdown(): string {
  return sections
    .map(({ path, description }) => {
      const own = fields.filter(
        (field) =>
          field.path.length === path.length + 1 &&
          path.every((step, i) => field.path[i] === step),
      );
      if (own.length === 0) return "";
      const heading = path.length === 0 ? "Top level" : `\`${path.join(".")}\``;
      return [
        `### ${heading}`,
        "",
        ...(description ? [description, ""] : []),
        "| Key, flag, variable | Value | Default | Meaning |",
        "| --- | --- | --- | --- |",
        ...own.map(row),
        "",
      ].join("\n");
    })
    .filter((section) => section !== "")
    .join("\n");
}

function row(field: Field): string {
  const names = [
    field.key,
    `--${field.flag}`,
    ...(field.alias ? [`--${field.alias}`] : []),
    field.env,
  ];
  const cells = [
    names.map((name) => `\`${name}\``).join("<br>"),
    `${field.shows}${field.kind === "list" ? ", …" : ""}`,
    showDefault(field.default),
    field.description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function showDefault(value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0))
    return "none";
  return `\`${Array.isArray(value) ? value.join(", ") : String(value)}\``;
}
