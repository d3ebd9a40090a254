// A machine that programs of the bench are started on: this one, or the far end of an emulated WAN.
import type { SpawnOptions } from "node:child_process";
import { startProgram, type RunningProgram } from "../harness/processes.ts";

/** See the file's head. */
export interface Place {
  /** Address at which the other place reaches it. */
  readonly address: string;
  start(
    command: string,
    args: readonly string[],
    options?: SpawnOptions,
  ): RunningProgram;
}

/** @param prefix command that starts another one on that machine, replacing itself by it */
export const createPlace = (
  address: string,
  prefix: readonly string[] = [],
): Place => ({
  address,
  start(command, args, options) {
    const [program = command, ...rest] = [...prefix, command, ...args];
    return startProgram(program, rest, options);
  },
});

/** This machine. */
export const here: Place = createPlace("127.0.0.1");
