// The JSON schema of the configuration file, for editors.
import { toJsonSchema } from "@valibot/to-json-schema";
import { configSchema } from "./schema.ts";

/** @returns the schema of the YAML file (JSON Schema draft-07) */
export function configJsonSchema(): object {
  return {
    ...toJsonSchema(configSchema, {
      // What people write, not what it becomes; checks that JSON Schema cannot express are made on loading.
      typeMode: "input",
      errorMode: "ignore",
      // Sections are completed before the schema sees them, so that it takes them for required; in a file none is.
      overrideSchema: ({ jsonSchema }) => {
        const { required: _, ...rest } = jsonSchema;
        return withoutOurs(rest);
      },
    }),
    title: "Configuration of expose-edge",
  };
}

// The metadata of fields.ts is for our own derivations; JSON Schema knows no such keywords.
function withoutOurs(jsonSchema: object): object {
  const {
    kind: _k,
    shows: _s,
    alias: _a,
    ...rest
  } = jsonSchema as Record<string, unknown>;
  return rest;
}
