// What follows mechanically from the schema: the list of keys with their flags and environment variables.
import * as v from "valibot";
import type { FieldMetadata } from "./fields.ts";
import { configSchema } from "./schema.ts";

/** One key of the configuration. */
export interface Field extends FieldMetadata {
  /** `["limits", "header-bytes"]` */
  readonly path: readonly string[];
  /** `limits.header-bytes` */
  readonly key: string;
  /** Without its dashes: `limits-header-bytes` */
  readonly flag: string;
  /** `EXPOSE_EDGE_LIMITS_HEADER_BYTES` */
  readonly env: string;
  readonly description: string;
  /** In the form of the YAML file; undefined when there is none. */
  readonly default: unknown;
}

/** A group of keys. */
export interface Section {
  /** Empty for the root. */
  readonly path: readonly string[];
  readonly description: string;
}

/** What every variable begins with. */
export const ENV_PREFIX = "EXPOSE_EDGE_";

interface Entry {
  readonly entries?: Record<string, Entry>;
  readonly wrapped?: v.GenericSchema;
  readonly default?: unknown;
}

/** All keys in the order of the schema. */
export const fields: readonly Field[] = [
  ...walkFields(entriesOf(configSchema), []),
];

/** All sections in the order of the schema, the root first. */
export const sections: readonly Section[] = [
  { path: [], description: "" },
  ...walkSections(entriesOf(configSchema), []),
];

function* walkFields(
  entries: Record<string, Entry>,
  above: readonly string[],
): Generator<Field> {
  for (const [name, entry] of Object.entries(entries)) {
    const path = [...above, name];
    if (entry.entries) {
      yield* walkFields(entry.entries, path);
      continue;
    }
    const schema = entry.wrapped!;
    yield {
      // fields.ts is the only maker of keys and checks what it puts in.
      ...(v.getMetadata(schema) as unknown as FieldMetadata),
      path,
      key: path.join("."),
      flag: path.join("-"),
      env: ENV_PREFIX + path.join("_").replaceAll("-", "_").toUpperCase(),
      description: v.getDescription(schema) ?? "",
      default: entry.default,
    };
  }
}

function* walkSections(
  entries: Record<string, Entry>,
  above: readonly string[],
): Generator<Section> {
  for (const [name, entry] of Object.entries(entries)) {
    if (!entry.entries) continue;
    const path = [...above, name];
    yield {
      path,
      description: v.getDescription(entry as unknown as v.GenericSchema) ?? "",
    };
    yield* walkSections(entry.entries, path);
  }
}

// The schema's own type lists each key; walking it needs the shape that all have in common.
function entriesOf(schema: unknown): Record<string, Entry> {
  return (schema as { entries: Record<string, Entry> }).entries;
}
