// Entry of the command `expose`.
import { clientErrorCodes } from "../errors.ts";
import { reportError } from "./output/error.ts";
import { processIo } from "./process-io.ts";
import { runCli } from "./run.ts";
import { watchSignals } from "./signals.ts";

// What a command left open (there should be nothing) may not keep a finished CLI alive.
const LINGER_MS = 500;

const io = processIo();
// What nobody awaits is a bug. It is told once whoever drew on the terminal has given it back, which exit listeners do
// in the order in which they came.
process.on("uncaughtException", (error) => {
  process.once("exit", () => reportError(error, false, io));
  process.exit(clientErrorCodes["internal-error"].exit);
});
// Until a command has come to its end. A process that ends before, because nothing is left to wait for, is a bug.
process.exitCode = clientErrorCodes["internal-error"].exit;
const signals = watchSignals(process, (status) => process.exit(status));
void runCli(process.argv.slice(2), io, signals).then(async (status) => {
  process.exitCode = status;
  // A reader that is slow gets all of it, however long that takes.
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  setTimeout(() => process.exit(), LINGER_MS).unref();
});

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writable) stream.write("", () => resolve());
    else resolve();
  });
}
