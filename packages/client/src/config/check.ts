// Holds a file's content against the schema and says everything that is wrong with it at once.
import * as v from "valibot";
import { ExposeError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import {
  configSchema,
  historySchema,
  inspectSchema,
  tunnelSchema,
  webhookSchema,
  type ConfigFile,
} from "./schema.ts";
import type { YamlFile } from "./yaml-file.ts";

/** @throws ExposeError `config-invalid`, one line for each mistake with the file's line and the key's path */
export function checkConfig(path: string, file: YamlFile): ConfigFile {
  if (file.value === undefined) return {};
  const misshapen = findMisshapen(file.value);
  const result = v.safeParse(configSchema, file.value);
  if (misshapen.length === 0 && result.success) return result.output;
  const wrongValues = (result.issues ?? [])
    .filter(({ type }) => type !== "strict_object" && type !== "record")
    .map(({ path: keys = [], message }) => ({
      at: keys.map(({ key }) => String(key)),
      text: message,
    }));
  const lines = [...misshapen, ...wrongValues]
    .map(({ at, text }) => ({ at, text, line: file.lineOf(at) }))
    .sort((a, b) => a.line - b.line)
    .map(
      ({ at, text, line }) =>
        `  ${path}:${line}: ${at.length > 0 ? `${at.join(".")}: ` : ""}${text}`,
    );
  throw new ExposeError(
    "config-invalid",
    `The configuration file has ${lines.length === 1 ? "a mistake" : `${lines.length} mistakes`}:\n${lines.join("\n")}`,
  );
}

interface Mistake {
  at: readonly string[];
  text: string;
}

// Of unknown keys valibot tells the first one alone, and it takes a list for an object.
function findMisshapen(value: unknown): Mistake[] {
  if (!isMap(value)) return [{ at: [], text: "expected keys and values" }];
  const mistakes = findUnknownKeys(value, configSchema.entries, []);
  return [
    ...mistakes,
    ...findMisshapenEntries(value, "tunnels", "a tunnel", tunnelSchema.entries),
    ...findMisshapenGroup(value, ["inspect"], inspectSchema.entries),
    ...findMisshapenGroup(value, ["inspect", "history"], historySchema.entries),
    ...findMisshapenEntries(
      value,
      "webhooks",
      "a provider",
      webhookSchema.entries,
    ),
  ];
}

function findMisshapenEntries(
  file: Record<string, unknown>,
  key: string,
  what: string,
  entries: Record<string, unknown>,
): Mistake[] {
  const value = file[key] ?? {};
  if (!isMap(value))
    return [
      { at: [key], text: `expected ${what.split(" ")[1]}s by their names` },
    ];
  return Object.entries(value).flatMap(([name, entry]) => {
    const at = [key, name];
    return isMap(entry)
      ? findUnknownKeys(entry, entries, at)
      : [{ at, text: `expected the keys of ${what}` }];
  });
}

function findMisshapenGroup(
  file: Record<string, unknown>,
  at: readonly string[],
  entries: Record<string, unknown>,
): Mistake[] {
  let value: unknown = file;
  // What is wrong further up is said there.
  for (const key of at) value = isMap(value) ? value[key] : undefined;
  if (value === undefined) return [];
  return isMap(value)
    ? findUnknownKeys(value, entries, at)
    : [{ at, text: `expected keys: ${Object.keys(entries).join(", ")}` }];
}

function findUnknownKeys(
  map: Record<string, unknown>,
  entries: Record<string, unknown>,
  above: readonly string[],
): Mistake[] {
  const known = Object.keys(entries);
  return Object.keys(map)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const meant = nearest(key, known);
      return {
        at: [...above, key],
        text: meant
          ? `there is no such key; is it ${meant}?`
          : `there is no such key; there are ${known.join(", ")}`,
      };
    });
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
