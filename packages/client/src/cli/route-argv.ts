// Finds out which command a command line means: `expose 8080` is `expose http 8080`, and a mistyped command is told
// from a target.
import { ExposeError } from "../errors.ts";
import { commandTable } from "./command.ts";
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
  const near = nearestCommand(word);
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

function nearestCommand(word: string): string | undefined {
  const ranked = [...commandTable.map(({ name }) => name), "help"]
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0]!;
  // Two slips in a word as short as these; more, and the guess would be noise.
  return best.distance <= 2 && best.distance < word.length
    ? best.name
    : undefined;
}

// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, j) =>
      i === 0 ? j : j === 0 ? i : 0,
    ),
  );
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const row = rows[i]!;
      const above = rows[i - 1]!;
      row[j] = Math.min(
        above[j]! + 1,
        row[j - 1]! + 1,
        above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
  return rows[a.length]![b.length]!;
}
