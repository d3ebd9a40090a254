// A process for tests of the commands: what they read and write, and signals at will.
import { EventEmitter } from "node:events";
import { PassThrough, Readable } from "node:stream";
import type { CliIo } from "./io.ts";

/** A {@link CliIo} whose output can be read and waited for. */
export interface FakeIo extends CliIo {
  readonly out: () => string;
  readonly err: () => string;
  readonly signals: EventEmitter;
  /** Statuses that the process was to end with at once. */
  readonly exits: number[];
  /** Resolves with the match once stderr has it. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Builds one. No file in /etc is read. */
export function fakeIo(stdin = "", env: CliIo["env"] = {}): FakeIo {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  let out = "";
  let err = "";
  const changed = new EventEmitter();
  stdout.on("data", (chunk) => (out += String(chunk)));
  stderr.on("data", (chunk) => {
    err += String(chunk);
    changed.emit("change");
  });
  const exits: number[] = [];
  return {
    stdin: Readable.from([stdin]),
    stdout,
    stderr,
    env: { EXPOSE_EDGE_CONFIG: "none", ...env },
    signals: new EventEmitter(),
    exitNow: (status) => void exits.push(status),
    exits,
    out: () => out,
    err: () => err,
    waitFor: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          const match = pattern.exec(err);
          if (!match) return;
          changed.off("change", look);
          resolve(match);
        };
        changed.on("change", look);
        look();
      }),
  };
}
