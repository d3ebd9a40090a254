// The tables as a commander program: parsing, help, and the errors of both.
import { Command, CommanderError, Option } from "commander";
import { PRODUCT_VERSION } from "@expose/protocol/version";
import { ExposeError } from "../errors.ts";
import type { CommandSpec, Flags } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { optionTable, type OptionKey } from "./option-table.ts";

/** A command line that has been understood. */
export interface Invocation {
  command: CommandSpec;
  args: readonly string[];
  flags: Flags;
}

/** What parsing needs of its surroundings. */
export interface ProgramSinks {
  /** Gets the help or the version, when one was asked for. */
  help(text: string): void;
  /** Width for the help's line breaks. */
  columns: number;
}

/**
 * Reads a command line.
 *
 * @param argv without node and the script
 * @returns undefined when there is nothing left to do: help or the version was asked for and shown
 * @throws ExposeError `usage-invalid`
 */
export function parseCommandLine(
  argv: readonly string[],
  sinks: ProgramSinks,
): Invocation | undefined {
  let invocation: Invocation | undefined;
  const program = createProgram(sinks, (parsed) => (invocation = parsed));
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw usageError(error);
  }
  return invocation;
}

/** Commander's view of the tables; exported for the test that compares docs/cli.md with it. */
export function createProgram(
  sinks: ProgramSinks,
  onParsed: (invocation: Invocation) => void,
): Command {
  const program = new Command("expose")
    .description(
      "A public URL for a local port, through your own server, over SSH.",
    )
    .usage("<target|command> [options]")
    .version(PRODUCT_VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print the help")
    .helpCommand("help [command]", "print the help of a command")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: sinks.help,
      // What is wrong is reported by whoever catches the exception, in the form of all other errors.
      writeErr: () => {},
      getOutHelpWidth: () => sinks.columns,
      getErrHelpWidth: () => sinks.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText("after", AFTER_HELP);
  for (const spec of commandTable)
    program.addCommand(createCommand(program, spec, onParsed));
  return program;
}

const AFTER_HELP = `
Examples:
  expose login alice@tunnel.example.com:2222   once
  expose 8080                                  short for \`expose http 8080\`
  expose ./dist --subdomain demo`;

function createCommand(
  program: Command,
  spec: CommandSpec,
  onParsed: (invocation: Invocation) => void,
): Command {
  const command = new Command(spec.name)
    .copyInheritedSettings(program)
    .summary(spec.summary)
    .description(
      [`${capitalise(spec.summary)}.`, spec.description]
        .filter((part) => part !== undefined)
        .join(" "),
    )
    .helpOption("-h, --help", "print this help")
    .passThroughOptions(spec.passThrough ?? false);
  for (const { name, description } of spec.args)
    command.argument(name, description);
  for (const key of spec.options) command.addOption(createOption(key, spec));
  if (spec.notes) command.addHelpText("after", () => `\n${spec.notes!()}`);
  command.addHelpText(
    "after",
    `\nExamples:\n${spec.examples.map((example) => `  ${example}`).join("\n")}`,
  );
  command.action((...parsed: unknown[]) => {
    const flags = command.opts<Flags>();
    // Commander hands over one value an argument (an array for the variadic one), then the options and itself.
    const args = parsed.slice(0, -2).flat().filter(isString);
    onParsed({ command: spec, args, flags });
  });
  return command;
}

function createOption(key: OptionKey, command: CommandSpec): Option {
  const spec = optionTable[key];
  const notes = [
    spec.default === undefined ? undefined : `default: ${spec.default}`,
    spec.env === undefined ? undefined : `env: ${spec.env}`,
  ].filter((note) => note !== undefined);
  const option = new Option(
    spec.flags,
    notes.length > 0
      ? `${spec.description} (${notes.join("; ")})`
      : spec.description,
  );
  if (spec.repeatable)
    option.argParser<string[]>((value, previous = []) => [...previous, value]);
  option.conflicts(
    (spec.conflicts ?? []).filter((other) => command.options.includes(other)),
  );
  return option;
}

function usageError(error: CommanderError): ExposeError {
  const message = error.message
    .replace(/^error: /, "")
    .replace(/^(.)/, (first) => first.toUpperCase())
    // Commander puts its suggestion on a line of its own.
    .replace(/\s*\n\(Did you mean (.*)\?\)$/s, ". Did you mean $1?");
  return new ExposeError(
    "usage-invalid",
    `${message.replace(/([^.?])$/, "$1.")} ${adviceFor(error)}`,
  );
}

function adviceFor({ message }: CommanderError): string {
  // What siblings of ours are told the port with.
  if (/^error: unknown option '(--port|-p)\b/.test(message))
    return "A port is written without an option: expose 8080.";
  return "`expose --help` lists the commands and `expose <command> --help` their options.";
}

const capitalise = (text: string): string =>
  text.charAt(0).toUpperCase() + text.slice(1);

const isString = (value: unknown): value is string => typeof value === "string";
