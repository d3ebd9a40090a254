// The real process as a CliIo.
import { write, writeSync } from "node:fs";
import type { CliIo } from "./io.ts";
import type { LiveScreen } from "./output/terminal.ts";

/** The streams and the environment of this process. Writing to a pipe that nobody reads is left to signals.ts. */
export function processIo(): CliIo {
  return {
    // Getters: each stream is opened when it is first touched, and most runs touch no stdin.
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return process.stdout;
    },
    get stderr() {
      return process.stderr;
    },
    env: process.env,
    openScreen,
    onExit(callback) {
      process.on("exit", callback);
      return () => process.off("exit", callback);
    },
    now: () => new Date(),
  };
}

const STDOUT_FD = 1;
const RETRY_MS = 10;

function openScreen(): LiveScreen {
  return {
    get columns() {
      return process.stdout.columns || 80;
    },
    get rows() {
      return process.stdout.rows || 24;
    },
    write(text, done) {
      writeAll(Buffer.from(text), done);
    },
    writeSync(text) {
      try {
        writeSync(STDOUT_FD, text);
      } catch {
        // The terminal is gone (its window was closed), and with it whoever could read this.
      }
    },
    onResize(callback) {
      process.stdout.on("resize", callback);
      return () => process.stdout.off("resize", callback);
    },
    onSuspend,
  };
}

// Node writes to terminals synchronously: a terminal that takes nothing (Ctrl-S, text being selected in some) would
// stop the whole process, tunnels and all. fs.write() waits in the thread pool instead.
function writeAll(bytes: Buffer, done: () => void): void {
  write(STDOUT_FD, bytes, 0, bytes.length, null, (error, written) => {
    if (error?.code === "EAGAIN")
      return void setTimeout(() => writeAll(bytes, done), RETRY_MS).unref();
    // Any other error: the terminal is gone, and SIGHUP says so.
    if (error || written >= bytes.length) return done();
    writeAll(bytes.subarray(written), done);
  });
}

function onSuspend(
  suspend: () => Promise<void>,
  resume: () => void,
): () => void {
  if (process.platform === "win32") return () => {};
  // With a listener the default action is off: stop for real, by the signal that cannot be caught.
  const stop = (): void =>
    void suspend().then(() => process.kill(process.pid, "SIGSTOP"));
  process.on("SIGTSTP", stop);
  process.on("SIGCONT", resume);
  return () => {
    process.off("SIGTSTP", stop);
    process.off("SIGCONT", resume);
  };
}
