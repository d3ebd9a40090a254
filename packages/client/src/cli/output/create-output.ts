// Chooses how a command speaks: by its flags, and by what stdout is.
import type { CliIo } from "../io.ts";
import { createJsonOutput } from "./json.ts";
import type { Output } from "./output.ts";
import { createPlainOutput } from "./plain.ts";
import { createTerminalOutput } from "./terminal.ts";

/** The flags that decide. */
export interface OutputFlags {
  json?: boolean | undefined;
  quiet?: boolean | undefined;
  /** false: `--no-color`. */
  color?: boolean | undefined;
}

/** The output for a command that keeps tunnels open. */
export function createOutput(flags: OutputFlags, io: CliIo): Output {
  if (flags.json) return createJsonOutput(io.stdout, io.now);
  const writeLine = (stream: CliIo["stdout"]) => (line: string) =>
    void stream.write(`${line}\n`);
  // A pipe gets the URLs alone, so that `read -r url < <(expose 8080)` works; people read stderr.
  const piped = !io.stdout.isTTY;
  if (flags.quiet || piped)
    return createPlainOutput(
      { url: writeLine(io.stdout), log: writeLine(io.stderr) },
      { quiet: flags.quiet ?? false, now: io.now },
    );
  if (isLive(flags, io)) return createTerminalOutput(io.openScreen());
  // A terminal shows stdout and stderr alike, and the first line of the log has the URL in it already.
  return createPlainOutput(
    { url() {}, log: writeLine(io.stdout) },
    { now: io.now },
  );
}

/** Whether colours and cursor movements are wanted and understood. https://no-color.org: any value but the empty one. */
export function isLive(flags: OutputFlags, io: CliIo): boolean {
  return (
    io.stdout.isTTY === true &&
    flags.color !== false &&
    !io.env["NO_COLOR"] &&
    io.env["TERM"] !== "dumb"
  );
}
