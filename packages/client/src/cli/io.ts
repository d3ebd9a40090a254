// What the CLI touches of the process, so that tests can put something else in its place.
import type { Readable, Writable } from "node:stream";
import type { LiveScreen } from "./output/terminal.ts";

/** See the file's head. */
export interface CliIo {
  readonly stdin: Readable & { isTTY?: boolean };
  readonly stdout: Writable & { isTTY?: boolean };
  readonly stderr: Writable & { isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The terminal behind stdout. Called only when stdout is one. */
  openScreen(): LiveScreen;
  /** Calls back when the process exits, however it comes to that. Gives back how to call it off. */
  onExit(callback: () => void): () => void;
  now(): Date;
}
