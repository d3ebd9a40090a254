// Finds out which command a command line means: `expose 8080` is `expose http 8080`, and a mistyped command is told
// from a target.
import { nearest } from "../nearest.ts";
import { ExposeError } from "../errors.ts";
import { commandTable } from "./command-table.ts";
import { optionTable } from "./option-table.ts";

/**
 * Puts `http` in front of a command line that begins with a target instead of a command.
 *
 * @throws ExposeError `usage-invalid` for a word that is neither, with the nearest command's name
 */
export function routeArgv(argv: readonly string[]): readonly string[] {
  const first = firstOperand(argv);
  if (first === undefined) {
    const only = argv[0];
    const aboutItself =
      only === undefined || ["-h", "--help", "-V", "--version"].includes(only);
    return aboutItself ? argv : ["http", ...argv];
  }
  if (first === "help") {
    const topic = argv[argv.indexOf("help") + 1];
    if (topic !== undefined && !isCommand(topic)) throw unknownCommand(topic);
    return argv;
  }
  if (isCommand(first)) return argv;
  if (looksLikeTarget(first)) return ["http", ...argv];
  throw unknownCommand(first);
}

const isCommand = (word: string): boolean =>
  commandTable.some(({ name }) => name === word);

function unknownCommand(word: string): ExposeError {
  const near = nearest(word, [...commandTable.map(({ name }) => name), "help"]);
  return new ExposeError(
    "usage-invalid",
    `"${word}" is neither a command nor a local address${near ? `. Did you mean \`expose ${near}\`?` : "."} \`expose --help\` lists the commands; a target is written as 8080, host:port, http://…, unix:/path or ./folder.`,
  );
}

const takesValue = new Set(
  Object.values(optionTable)
    .filter(({ flags }) => flags.includes("<"))
    .flatMap(({ flags }) => flags.split(/[ ,]+/))
    .filter((flag) => flag.startsWith("-")),
);

function firstOperand(argv: readonly string[]): string | undefined {
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === "--") return argv[index + 1];
    if (word === "-" || !word.startsWith("-")) return word;
    if (takesValue.has(word)) index++;
  }
  return undefined;
}

// Broad on purpose: what begins like a target is read as one, so that "80a80" is called a bad port, not a command.
function looksLikeTarget(word: string): boolean {
  return /^[0-9.~]/.test(word) || /[:/\\.[\]]/.test(word);
}
