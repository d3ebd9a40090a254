// Tells a person, and a program, why a command failed.
import { clientErrorCodes, ExposeError, messageOf } from "../../errors.ts";
import type { CliIo } from "../io.ts";
import { escapeLines } from "./escape.ts";
import { encodeErrorEvent } from "./json.ts";

/**
 * Reports `error`: on stderr as `expose: <message> [code]`, and with `json` as an event on stdout too.
 *
 * @returns the exit status
 */
export function reportError(error: unknown, json: boolean, io: CliIo): number {
  const known = error instanceof ExposeError ? error : asBug(error);
  const exitStatus = clientErrorCodes[known.code].exit;
  // The code stands at the end of the first line: the others list details.
  const [first, ...more] = known.message.split("\n");
  const text = [`expose: ${first} [${known.code}]`, ...more].join("\n");
  io.stderr.write(`${escapeLines(text)}\n`);
  if (io.env["EXPOSE_DEBUG"])
    io.stderr.write(`${escapeLines(describeCauses(error))}\n`);
  if (json) io.stdout.write(encodeErrorEvent(known, exitStatus, io.now()));
  return exitStatus;
}

function asBug(error: unknown): ExposeError {
  const message = messageOf(error);
  return new ExposeError(
    "internal-error",
    `This is a bug in expose: ${message}. Please report it; EXPOSE_DEBUG=1 shows where it happened.`,
    { cause: error },
  );
}

function describeCauses(error: unknown): string {
  const lines: string[] = [];
  for (
    let cause = error, depth = 0;
    cause !== undefined && depth < 8;
    depth++
  ) {
    const text =
      cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    lines.push(depth === 0 ? text : `caused by: ${text}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines.join("\n");
}
