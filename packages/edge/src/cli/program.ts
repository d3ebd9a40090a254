// The command line of `expose-edge`: which commands there are, and what each is given.
import { PRODUCT_VERSION } from "@expose/protocol";
import { Command, CommanderError } from "commander";
import { configJsonSchema } from "../config/json-schema.ts";
import { configMarkdown } from "../config/markdown.ts";
import { EdgeError } from "../errors.ts";
import type { UsersFilePlace } from "../registry/edit-users-file.ts";
import { addConfigFile, addConfigFlags, configFrom } from "./config-options.ts";
import type { CliIo } from "./io.ts";

type Options = Readonly<Record<string, unknown>>;

/**
 * Runs one command.
 *
 * @param argv without node and the script
 * @returns the exit status
 * @throws EdgeError `usage-invalid` for what is no command or option, and what the command throws
 */
export async function runProgram(
  argv: readonly string[],
  io: CliIo,
): Promise<number> {
  // It begins with hyphens, so that it would be taken for an option and be quoted as one.
  if (argv.some((word) => /BEGIN [A-Z0-9 ]*PRIVATE KEY/.test(word)))
    throw new EdgeError(
      "key-invalid",
      "What was given is a PRIVATE key, and everybody on this machine could read it just now. Make a new one, and give the public key: the file that ends in .pub.",
    );
  let status = 0;
  const program = buildProgram(io, (result) => {
    status = result;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // --help and --version end like this too.
    if (error.exitCode === 0) return 0;
    throw new EdgeError("usage-invalid", explain(error), { cause: error });
  }
  return status;
}

/** @param done gets the status of the command that has run */
function buildProgram(io: CliIo, done: (status: number) => void): Command {
  const program = new Command("expose-edge")
    .description(
      "The server of expose: leads each subdomain to the tunnel that it belongs to.",
    )
    .version(
      `expose-edge ${PRODUCT_VERSION}`,
      "-V, --version",
      "print the version",
    )
    .helpCommand(false)
    // Defaults stand in the descriptions, in the form of the YAML file; commander would add its own.
    .configureHelp({ optionDescription: ({ description }) => description })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      // Errors are thrown, and printed in one place.
      writeErr() {},
    });
  const run =
    (action: (...args: never[]) => Promise<number>) =>
    async (...args: unknown[]): Promise<void> =>
      done(await action(...(args as never[])));
  const add = (name: string, description: string, parent = program): Command =>
    parent.command(name).description(description).allowExcessArguments(false);

  addConfigFlags(
    addConfigFile(add("serve", "run an edge until SIGTERM or Ctrl-C")),
  ).action(
    run(async (options: Options) => {
      const { serve } = await import("./serve.ts");
      return serve(configFrom(options, io.env), io);
    }),
  );

  addConfigFlags(
    addConfigFile(
      add(
        "check",
        "check configuration, users file and DNS, and serve nothing",
      ),
    ),
  )
    .option("--no-dns", "ask no name server")
    .action(
      run(async (options: Options) => {
        const { check } = await import("./check.ts");
        return check(
          configFrom(options, io.env),
          { dns: options["dns"] !== false },
          io,
        );
      }),
    );

  addKeysCommands(add("keys", "say who may log in"), add, run, io);

  add("schema", "print the JSON schema of the configuration file")
    .option("--markdown", "print the reference of all keys in Markdown instead")
    .action(
      run(async ({ markdown }: Options) => {
        io.stdout.write(
          markdown
            ? configMarkdown()
            : `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
        );
        return 0;
      }),
    );

  add("version", "print the version").action(
    run(async () => {
      io.stdout.write(`expose-edge ${PRODUCT_VERSION}\n`);
      return 0;
    }),
  );
  return program;
}

function addKeysCommands(
  keys: Command,
  add: (name: string, description: string, parent: Command) => Command,
  run: (
    action: (...args: never[]) => Promise<number>,
  ) => (...args: unknown[]) => Promise<void>,
  io: CliIo,
): void {
  const withPlace = (command: Command): Command =>
    addConfigFlags(addConfigFile(command), ({ key }) =>
      ["users", "state-dir", "ingress.openssh.keys-file"].includes(key),
    );

  withPlace(
    add(
      "add",
      "add a key to an identity, which is made if it is not there",
      keys,
    ),
  )
    .argument("<identity>", "who the key belongs to, such as alice@laptop")
    .argument(
      "<key>",
      "the public key in quotes, the path of a .pub file, or - for stdin",
    )
    .option(
      "--names <NAMES>",
      "names that it may claim, * for any run of characters: shop,api-*",
    )
    .option("--max-tunnels <NUMBER>", "tunnels that it may have open")
    .option(
      "--direct-ports <PORTS>",
      "public ports that it may forward past the edge (openssh only)",
    )
    .action(
      run(async (identity: string, key: string, options: Options) => {
        const { addCommand } = await import("./keys.ts");
        return addCommand(placeFrom(options, io), identity, key, options, io);
      }),
    );

  withPlace(add("list", "show everybody with their keys' fingerprints", keys))
    .option("--json", "as JSON")
    .action(
      run(async (options: Options) => {
        const { listCommand } = await import("./keys.ts");
        return listCommand(placeFrom(options, io), options, io);
      }),
    );

  withPlace(
    add("remove", "remove an identity with all its keys, or one key", keys),
  )
    .argument("<identity-or-fingerprint>", "such as alice@laptop or SHA256:…")
    .action(
      run(async (who: string, options: Options) => {
        const { removeCommand } = await import("./keys.ts");
        const { keysFile } = configFrom(options, io.env).ingress.openssh;
        return removeCommand(placeFrom(options, io), keysFile, who, io);
      }),
    );
}

function placeFrom(options: Options, io: CliIo): UsersFilePlace {
  const { users, ingress } = configFrom(options, io.env);
  return { file: users, directPorts: ingress.openssh.directPorts };
}

function explain({ code, message }: CommanderError): string {
  // commander throws this when nothing was asked for, and has printed the help to nowhere.
  if (code === "commander.help")
    return "Which command? There are serve, check, keys add, keys list, keys remove, schema and version; `expose-edge --help` explains them.";
  const text = message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(/'([^']{60})[^']+'/g, "'$1…'");
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return `${/[.)?]$/.test(sentence) ? sentence : `${sentence}.`} \`expose-edge --help\` lists what there is.`;
}
