// Entry of the command `expose-edge`.
import { processIo } from "./cli/io.ts";
import { reportError } from "./cli/report-error.ts";
import { runCli } from "./cli/run.ts";

// What a command left open (there should be nothing) may not keep a finished program alive.
const LINGER_MS = 500;

const io = processIo();
// The state of a program that met a bug is unknown; whoever started the edge starts it again.
process.on("uncaughtException", (error) =>
  process.exit(reportError(error, io.stderr)),
);
void runCli(process.argv.slice(2), io).then((status) => {
  process.exitCode = status;
  // Not process.exit(): what was written to a pipe may not have left yet.
  setTimeout(() => process.exit(), LINGER_MS).unref();
});
