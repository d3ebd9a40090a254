// The reference of the configuration file and the environment, for docs/configuration.md.
import * as v from "valibot";
import { environmentVariables } from "./environment.ts";
import {
  configSchema,
  historySchema,
  inspectSchema,
  tunnelSchema,
  webhookSchema,
} from "./schema.ts";

/** One key, as the documentation shows it. */
export interface DocumentedKey {
  key: string;
  kind: string;
  description: string;
}

/** Keys of the file, those of a tunnel as `tunnels.NAME.upstream` and so on. */
export function documentedKeys(): DocumentedKey[] {
  const {
    tunnels: _tunnels,
    webhooks: _webhooks,
    inspect: _inspect,
    ...top
  } = configSchema.entries;
  const { history: _history, ...inspect } = inspectSchema.entries;
  return [
    ...keysOf(top, ""),
    ...keysOf(tunnelSchema.entries, "tunnels.NAME."),
    ...keysOf(inspect, "inspect."),
    ...keysOf(historySchema.entries, "inspect.history."),
    ...keysOf(webhookSchema.entries, "webhooks.NAME."),
  ];
}

/** Gives both tables in Markdown. */
export function clientReference(): string {
  return [
    table(
      ["Key", "Value", "Meaning"],
      documentedKeys().map(({ key, kind, description }) => [
        `\`${key}\``,
        kind,
        description,
      ]),
    ),
    table(
      ["Variable", "Meaning"],
      Object.entries(environmentVariables).map(([name, meaning]) => [
        `\`${name}\``,
        meaning,
      ]),
    ),
  ].join("\n");
}

interface Entry {
  readonly wrapped: v.GenericSchema;
}

function keysOf(
  entries: Record<string, Entry>,
  above: string,
): DocumentedKey[] {
  return Object.entries(entries).map(([key, { wrapped }]) => ({
    key: above + key,
    kind: String(v.getMetadata(wrapped)["kind"] ?? ""),
    description: v.getDescription(wrapped) ?? "",
  }));
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return [head, head.map(() => "---"), ...rows].map(line).join("");
}
