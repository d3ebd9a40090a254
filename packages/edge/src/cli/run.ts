// One run of `expose-edge`: does what the command line asks for and reports what went wrong.
import type { CliIo } from "./io.ts";
import { runProgram } from "./program.ts";
import { reportError } from "./report-error.ts";

/**
 * Never throws and never exits the process.
 *
 * @param argv without node and the script
 * @returns the exit status
 */
export async function runCli(
  argv: readonly string[],
  io: CliIo,
): Promise<number> {
  try {
    return await runProgram(argv, io);
  } catch (error) {
    return reportError(error, io.stderr);
  }
}
