// `expose exec -- COMMAND`: a command on the server, with its streams and its exit status passed through.
import { constants } from "node:os";
import { runRemote } from "../../run-remote.ts";
import type { CommandRun } from "../command.ts";
import { escapeLines } from "../output/escape.ts";
import { resolveSettings } from "../settings.ts";
import { Interruption } from "../signals.ts";

export const run: CommandRun = async (context, args, flags) => {
  const { io } = context;
  // stdout and stderr are the command's: only what must not be overlooked stands between.
  const { session: settings } = await resolveSettings(flags, context, {
    info() {},
    warn: (sentence) =>
      void io.stderr.write(`expose: ${escapeLines(sentence)}\n`),
  });
  const end = await runRemote({
    ...settings,
    // As ssh does it: the server's shell gets one line.
    command: args.join(" "),
    streams: io,
    interrupt: (reason) =>
      reason instanceof Interruption ? reason.signal.slice(3) : "INT",
  });
  // A pipe that nobody writes to any more must not keep the process alive.
  io.stdin.destroy();
  if ("code" in end) return end.code;
  const number = constants.signals[end.signal as NodeJS.Signals] ?? 0;
  io.stderr.write(
    `expose: the command was ended by ${escapeLines(end.signal)}\n`,
  );
  return SIGNAL_STATUS + number;
};

// As shells report it.
const SIGNAL_STATUS = 128;
