// Gathers what file, environment and flags say about each key, by precedence, before anything is checked.
import { dirname, resolve } from "node:path";
import { ENV_PREFIX, fields, sections, type Field } from "./derive.ts";
import { nearest } from "../util/nearest.ts";
import { STATE_DIR, type ConfigInput } from "./schema.ts";
import type { YamlFile } from "./yaml-file.ts";

/** Names the file that holds the configuration; not part of it. */
export const CONFIG_ENV = `${ENV_PREFIX}CONFIG`;

/** Something wrong with one key. */
export interface ConfigProblem {
  /** Dotted path of the key. An item of what was written as a YAML list has its index, as in `listen.1`. */
  readonly path: string;
  /** Where the value comes from: `edge.yaml:12`, `--listen`, `EXPOSE_EDGE_LISTEN`. */
  readonly source: string;
  /** What is expected, and what stands there. */
  readonly message: string;
}

/** Where the configuration comes from. */
export interface GivenSources {
  readonly file?:
    { readonly path: string; readonly yaml: YamlFile } | undefined;
  readonly values?: ConfigInput | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** By flag without its dashes; each text as given, in order. */
  readonly flags?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Everything that was said, in the shape of the schema, and where each key was said. */
export interface Gathered {
  readonly tree: Record<string, unknown>;
  readonly problems: ConfigProblem[];
  sourceOf(path: readonly PropertyKey[]): string;
  /** What whoever wrote it would call it: a list that was written as one text has no items. */
  nameOf(path: readonly PropertyKey[]): string;
}

/** Merges the sources. Precedence: flag, environment, file (or values). Keys that do not exist become problems. */
export function gatherSources(given: GivenSources): Gathered {
  const { file, env = {}, flags = {} } = given;
  const problems: ConfigProblem[] = [];
  const tree: Record<string, unknown> = {};
  for (const { path } of sections) if (path.length > 0) put(tree, path, {});
  const sources = new Map<string, string>();

  const fileSource = (path: readonly PropertyKey[]): string =>
    file ? `${file.path}:${file.yaml.lineOf(path)}` : "values";
  const take = (
    field: Field,
    value: unknown,
    source: string,
    base: string,
  ): void => {
    put(
      tree,
      field.path,
      field.kind === "path" ? absolute(value, base) : value,
    );
    sources.set(field.key, source);
  };

  const fromFile = file ? file.yaml.value : given.values;
  visit(fromFile ?? {}, [], (field, value) =>
    take(
      field,
      value,
      fileSource(field.path),
      file ? dirname(resolve(file.path)) : ".",
    ),
  );
  for (const field of fields) {
    const fromEnv = env[field.env];
    // A variable that is there but empty is how compose files and unit files say "not set".
    if (fromEnv) take(field, fromText(field, [fromEnv]), field.env, ".");
    for (const flag of [field.flag, ...(field.alias ? [field.alias] : [])])
      if (flags[flag])
        take(field, fromText(field, flags[flag]), `--${flag}`, ".");
  }
  checkEnvNames(env, problems);

  function visit(
    value: unknown,
    path: readonly string[],
    found: (field: Field, value: unknown) => void,
  ): void {
    // An empty section is null in YAML: all its lines are comments.
    if (value === null && path.length > 0) return;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      problems.push({
        path: path.join(".") || "(all)",
        source: fileSource(path),
        message: `expected keys and values, such as "${exampleUnder(path)}"`,
      });
      return;
    }
    for (const [name, inner] of Object.entries(value)) {
      const here = [...path, name];
      const key = here.join(".");
      const field = name.includes(".") ? undefined : fieldsByKey.get(key);
      if (field) found(field, inner);
      else if (!name.includes(".") && sectionKeys.has(key))
        visit(inner, here, found);
      else
        problems.push({
          path: key,
          source: fileSource(here),
          message: `there is no such key${suggestKey(here)}`,
        });
    }
  }

  return {
    tree,
    problems,
    nameOf(path) {
      const field = fieldsByKey.get(path.slice(0, -1).join("."));
      const written = field && (sources.get(field.key) ?? "default");
      const asList =
        field &&
        written === fileSource(field.path) &&
        Array.isArray(valueAt(tree, field.path));
      return (field && !asList ? path.slice(0, -1) : path).join(".");
    },
    sourceOf(path) {
      for (let length = path.length; length > 0; length--) {
        const key = path.slice(0, length).join(".");
        const source = sources.get(key);
        if (source !== undefined)
          return file && source.startsWith(`${file.path}:`)
            ? fileSource(path)
            : source;
      }
      return "default";
    },
  };
}

const fieldsByKey = new Map(fields.map((field) => [field.key, field]));
const sectionKeys = new Set(sections.map(({ path }) => path.join(".")));

function put(
  tree: Record<string, unknown>,
  path: readonly string[],
  value: unknown,
): void {
  let branch = tree;
  for (const step of path.slice(0, -1))
    branch = branch[step] as Record<string, unknown>;
  branch[path.at(-1)!] = value;
}

function valueAt(
  tree: Record<string, unknown>,
  path: readonly string[],
): unknown {
  let value: unknown = tree;
  for (const step of path) value = (value as Record<string, unknown>)[step];
  return value;
}

function fromText(field: Field, texts: readonly string[]): unknown {
  const last = texts.at(-1)!;
  switch (field.kind) {
    case "list":
      return texts.flatMap((text) =>
        text
          .split(",")
          .map((item) => item.trim())
          .filter((item) => item !== ""),
      );
    case "count":
      return /^\d{1,15}$/.test(last) ? Number(last) : last;
    case "toggle":
      return last === "true" ? true : last === "false" ? false : last;
    default:
      return last;
  }
}

function absolute(value: unknown, base: string): unknown {
  // What begins with ~ is refused later on, and should be quoted as it was written.
  if (typeof value !== "string" || /^(?:-?$|~)/.test(value)) return value;
  return value.startsWith(`${STATE_DIR}/`) ? value : resolve(base, value);
}

// Kubernetes sets these in every container that runs beside a service called expose-edge.
const KUBERNETES =
  /^EXPOSE_EDGE_(?:SERVICE_HOST|SERVICE_PORT.*|PORT|PORT_\d+_.*)$/;

function checkEnvNames(
  env: Readonly<Record<string, string | undefined>>,
  problems: ConfigProblem[],
): void {
  const known = new Set([CONFIG_ENV, ...fields.map((field) => field.env)]);
  for (const name of Object.keys(env)) {
    if (
      !name.startsWith(ENV_PREFIX) ||
      known.has(name) ||
      KUBERNETES.test(name)
    )
      continue;
    const meant = nearest(name, known);
    problems.push({
      path: name,
      source: "environment",
      message: `there is no such variable${meant ? `; did you mean ${meant}?` : ""}`,
    });
  }
}

function suggestKey(path: readonly string[]): string {
  const name = path.at(-1)!;
  const parent = path.slice(0, -1).join(".");
  const siblings = new Map<string, string>();
  const others = new Map<string, string>();
  for (const key of [...fieldsByKey.keys(), ...sectionKeys]) {
    const dot = key.lastIndexOf(".");
    const under = dot < 0 ? "" : key.slice(0, dot);
    (under === parent ? siblings : others).set(key.slice(dot + 1), key);
  }
  const near = nearest(name, siblings.keys());
  const meant =
    near !== undefined
      ? siblings.get(near)
      : others.get(nearest(name, others.keys()) ?? "");
  return meant ? `; did you mean ${meant}?` : "";
}

function exampleUnder(path: readonly string[]): string {
  const field = fields.find(({ path: candidate }) =>
    path.every((step, i) => candidate[i] === step),
  );
  return field ? `${field.path.at(-1)}: …` : "domain: tunnel.example.com";
}
