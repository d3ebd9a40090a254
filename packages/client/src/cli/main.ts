// Entry of the command `expose`.
import { processIo } from "./process-io.ts";
import { runCli } from "./run.ts";
import { watchSignals } from "./signals.ts";

// What a command left open (there should be nothing) may not keep a finished CLI alive.
const LINGER_MS = 500;

const io = processIo();
const signals = watchSignals(process, (status) => process.exit(status));
void runCli(process.argv.slice(2), io, signals).then((status) => {
  process.exitCode = status;
  // Not process.exit(): what was written to a pipe may not have left yet.
  setTimeout(() => process.exit(), LINGER_MS).unref();
});
