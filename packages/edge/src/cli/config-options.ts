// The flags that the configuration has, and the configuration that they, the environment and the file make.
import { existsSync } from "node:fs";
import { Option, type Command } from "commander";
import { fields, sections, type Field } from "../config/derive.ts";
import { loadConfig } from "../config/load.ts";
import type { EdgeConfig } from "../config/schema.ts";
import { CONFIG_ENV } from "../config/sources.ts";
import type { CliIo } from "./io.ts";

/** Read when it is there and nothing else is said. */
const DEFAULT_CONFIG_FILE = "/etc/expose/edge.yaml";

/** Reads no file, whatever stands in /etc. */
const NO_FILE = "none";

/** Adds `--config`. */
export function addConfigFile(command: Command): Command {
  return command.option(
    "--config <FILE>",
    `YAML file with the configuration; ${NO_FILE}: read none (default: $${CONFIG_ENV}, then ${DEFAULT_CONFIG_FILE})`,
  );
}

/** Adds a flag for each key of the configuration. */
export function addConfigFlags(
  command: Command,
  only: (field: Field) => boolean = () => true,
): Command {
  for (const section of sections)
    for (const field of fields) {
      if (
        !only(field) ||
        field.path.slice(0, -1).join(".") !== section.path.join(".")
      )
        continue;
      const group =
        section.path.length > 0 ? `${section.path.join(".")}:` : "Top level:";
      command.addOption(
        flagOf(field, field.flag, helpOf(field)).helpGroup(group),
      );
      if (field.alias)
        command.addOption(
          flagOf(field, field.alias, `Short for --${field.flag}.`).helpGroup(
            group,
          ),
        );
    }
  return command;
}

/**
 * The file that is to be read.
 *
 * @returns undefined for none
 */
export function configFile(
  options: Readonly<Record<string, unknown>>,
  env: CliIo["env"],
): string | undefined {
  const named =
    (options["config"] as string | undefined) ?? (env[CONFIG_ENV] || undefined);
  if (named !== undefined) return named === NO_FILE ? undefined : named;
  return existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : undefined;
}

/** Loads the configuration that a command line asks for. @throws EdgeError `config-invalid`, `config-unreadable` */
export function configFrom(
  options: Readonly<Record<string, unknown>>,
  env: CliIo["env"],
): EdgeConfig {
  const flags: Record<string, readonly string[]> = {};
  for (const { flag, alias } of fields)
    for (const name of [flag, ...(alias ? [alias] : [])]) {
      const given = options[attributeOf(name)];
      if (given !== undefined) flags[name] = given as string[];
    }
  return loadConfig({ file: configFile(options, env), env, flags });
}

// Values stay as they were given: the configuration reads them, together with all others, and reports all mistakes.
function flagOf(field: Field, name: string, help: string): Option {
  const toggle = field.kind === "toggle";
  const option = new Option(
    toggle
      ? `--${name} [BOOLEAN]`
      : `--${name} <${field.shows.replaceAll("|", "/")}>`,
    help,
  );
  if (toggle) option.preset("true");
  return option.argParser((value: string, before: string[] | undefined) => [
    ...(before ?? []),
    value,
  ]);
}

function helpOf({ description, default: value, kind }: Field): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0))
    return description;
  const shown = Array.isArray(value) ? value.join(",") : String(value);
  return `${description} (default: ${shown}${kind === "list" ? "; may be repeated" : ""})`;
}

// As commander names what `--like-this` sets.
const attributeOf = (flag: string): string =>
  flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
