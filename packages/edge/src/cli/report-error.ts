// How an error ends the program: a message with its code and what to do next, and the exit status of docs/errors.md.
import type { Writable } from "node:stream";
import { EdgeError } from "../errors.ts";
import { escapeControls } from "../util/escape.ts";

/** Status of a bug, which has no code. */
const BUG_STATUS = 1;

/**
 * Prints an error. Bugs show their stack: it is for whoever reads the report.
 *
 * @returns the exit status
 */
export function reportError(error: unknown, stderr: Writable): number {
  const known = error instanceof EdgeError;
  const text = known
    ? error.message
    : `this is a bug, please report it: ${(error instanceof Error && error.stack) || String(error)}`;
  // Messages have lines of their own; what is quoted in them must not bring more.
  const [first = "", ...rest] = text.split("\n").map(escapeControls);
  // Behind the first line, which says what failed; a list of mistakes may follow.
  const head = known ? `${first} [${error.code}]` : first;
  stderr.write(`${[`expose-edge: ${head}`, ...rest].join("\n")}\n`);
  return known ? error.exitStatus : BUG_STATUS;
}
