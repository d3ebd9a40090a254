// Loads the configuration: file, environment and flags in, one complete and frozen object out, or all mistakes at once.
import * as v from "valibot";
import { EdgeError } from "../errors.ts";
import { escapeControls } from "../util/escape.ts";
import { camelKeys } from "./camel.ts";
import { fields } from "./derive.ts";
import { ALWAYS_RESERVED } from "./reserved-names.ts";
import {
  configSchema,
  STATE_DIR,
  type ConfigInput,
  type EdgeConfig,
} from "./schema.ts";
import { gatherSources, type ConfigProblem } from "./sources.ts";
import { readYamlFile } from "./yaml-file.ts";

/** Where the configuration comes from. A flag goes before a variable, a variable before the file, that before defaults. */
export interface ConfigSources {
  /** Path of the YAML file. Excludes `values`. Absent: none is read. */
  readonly file?: string | undefined;
  /** The same as the file would hold, for callers that have no file. */
  readonly values?: ConfigInput | undefined;
  /** Variables; those that do not begin with EXPOSE_EDGE_ are ignored, as are empty ones. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Flags by name without dashes; each text as given, in order. */
  readonly flags?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** All that is wrong with a configuration. */
export class ConfigError extends EdgeError {
  override name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const count =
      problems.length === 1 ? "a mistake" : `${problems.length} mistakes`;
    const lines = problems.map(({ path, source, message }) =>
      escapeControls(`  ${path} (${source}): ${message}`),
    );
    super(
      "config-invalid",
      `The configuration has ${count}; mend and try \`expose-edge check\`:\n${lines.join("\n")}`,
    );
    this.problems = problems;
  }
}

/**
 * Loads and checks the configuration.
 *
 * @returns it complete, in camelCase and frozen; paths are absolute, durations milliseconds, sizes bytes
 * @throws EdgeError `config-unreadable` when the file cannot be read or is not YAML
 * @throws ConfigError `config-invalid` with every mistake
 */
export function loadConfig(sources: ConfigSources = {}): EdgeConfig {
  const { file, values, env, flags } = sources;
  const gathered = gatherSources({
    file:
      file === undefined ? undefined : { path: file, yaml: readYamlFile(file) },
    values,
    env,
    flags,
  });
  const problems = [...gathered.problems];

  const result = v.safeParse(configSchema, gathered.tree);
  for (const issue of result.issues ?? []) {
    const path = (issue.path ?? []).map((item) => item.key as PropertyKey);
    problems.push({
      path: gathered.nameOf(path),
      source: gathered.sourceOf(path),
      message: issue.message,
    });
  }
  if (problems.length > 0 || !result.success) throw new ConfigError(problems);

  const config = result.output;
  fillStateDir(config, config["state-dir"]);
  config["reserved-names"] = [
    ...new Set([...ALWAYS_RESERVED, ...config["reserved-names"]]),
  ];
  return camelKeys(config);
}

function fillStateDir(config: Record<string, unknown>, stateDir: string): void {
  for (const { kind, path } of fields) {
    if (kind !== "path") continue;
    let branch = config;
    for (const step of path.slice(0, -1))
      branch = branch[step] as Record<string, unknown>;
    const name = path.at(-1)!;
    const value = branch[name];
    if (typeof value === "string" && value.startsWith(`${STATE_DIR}/`))
      branch[name] = stateDir + value.slice(STATE_DIR.length);
  }
}
