// One run of the CLI: understand the command line, load the command, run it, report what went wrong.
import { clientErrorCodes, ExposeError } from "../errors.ts";
import type { CliIo } from "./io.ts";
import { reportError } from "./output/error.ts";
import { parseCommandLine } from "./program.ts";
import { routeArgv } from "./route-argv.ts";
import type { Signals } from "./signals.ts";

/**
 * Never throws and never exits the process.
 *
 * @param argv without node and the script
 * @returns the exit status
 */
export async function runCli(
  argv: readonly string[],
  io: CliIo,
  signals: Pick<Signals, "signal" | "allowTime">,
): Promise<number> {
  let json = wantsJson(argv);
  let endsInItsOwnTime = false;
  try {
    // Nothing asked for: nothing on stdout, and no success that a script could take for an open tunnel.
    const bare = argv.length === 0;
    const invocation = parseCommandLine(bare ? ["--help"] : routeArgv(argv), {
      help: (text) => void (bare ? io.stderr : io.stdout).write(text),
      columns: helpColumns(io),
    });
    if (!invocation) return bare ? clientErrorCodes["usage-invalid"].exit : 0;
    const { command, args, flags } = invocation;
    json = flags.json ?? false;
    endsInItsOwnTime = command.endsInItsOwnTime ?? false;
    if (endsInItsOwnTime) signals.allowTime();
    const { run } = await command.load();
    const { createPrompt } = await import("./prompt.ts");
    const context = { io, signal: signals.signal, prompt: createPrompt(io) };
    return await run(context, args, flags);
  } catch (error) {
    // Ctrl-C before there was anything to close: the person knows, whatever else went wrong by it.
    if (signals.signal.aborted && (!endsInItsOwnTime || isAborted(error)))
      return clientErrorCodes.aborted.exit;
    return reportError(error, json, io);
  }
}

const MAX_HELP_COLUMNS = 100;
const DEFAULT_HELP_COLUMNS = 80;

function helpColumns(io: CliIo): number {
  const columns = "columns" in io.stdout ? Number(io.stdout.columns) : 0;
  return Math.min(columns || DEFAULT_HELP_COLUMNS, MAX_HELP_COLUMNS);
}

const isAborted = (error: unknown): boolean =>
  (error instanceof ExposeError && error.code === "aborted") ||
  (error instanceof Error && error.name === "AbortError");

// For command lines that could not be parsed.
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}
