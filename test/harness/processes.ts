// Child processes for tests: started, read, waited for, and always gone afterwards.
import {
  spawn,
  type ChildProcess,
  type SpawnOptions,
} from "node:child_process";
import { once } from "node:events";

/** A started program whose output can be waited for. */
export interface RunningProgram {
  readonly child: ChildProcess;
  /** All that it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves with the match once stdout or stderr has it; rejects with all output when the program ends first. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** Resolves when it has ended. */
  readonly exited: Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
  }>;
  kill(signal?: NodeJS.Signals): void;
}

/** Starts a program. Whoever starts it registers its end: `onTestFinished(() => stop(program))`. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): RunningProgram {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    ...options,
  });
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  const changed = (): void => {
    for (const watcher of watchers) watcher();
  };
  child.stdout?.on("data", (chunk) => {
    stdout += String(chunk);
    changed();
  });
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
    changed();
  });
  let ended = false;
  const exited = new Promise<{
    code: number | null;
    signal: NodeJS.Signals | null;
  }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      ended = true;
      resolve({ code, signal });
      changed();
    });
  });
  exited.catch(() => {});

  return {
    child,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    exited,
    kill: (signal = "SIGTERM") => void child.kill(signal),
    waitFor(pattern, timeoutMs = 20_000) {
      return new Promise((resolve, reject) => {
        const seen = (): string =>
          `${command} ${args.join(" ")}\nstdout:\n${stdout}\nstderr:\n${stderr}`;
        const check = (): void => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match) finish(() => resolve(match));
          else if (ended)
            finish(() =>
              reject(new Error(`ended without ${pattern}: ${seen()}`)),
            );
        };
        const timer = setTimeout(
          () =>
            finish(() => reject(new Error(`no ${pattern} in time: ${seen()}`))),
          timeoutMs,
        );
        const finish = (settle: () => void): void => {
          clearTimeout(timer);
          watchers.delete(check);
          settle();
        };
        watchers.add(check);
        check();
      });
    },
  };
}

/** Ends a program for good and waits until it is gone. */
export async function stop(
  program: RunningProgram,
  signal: NodeJS.Signals = "SIGKILL",
): Promise<void> {
  if (program.child.exitCode === null && program.child.signalCode === null) {
    program.kill(signal);
    await program.exited;
  }
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { input?: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { input, ...rest } = options;
  const program = startProgram(command, args, {
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...rest,
  });
  if (input !== undefined) program.child.stdin!.end(input);
  if (program.child.stdout) await once(program.child, "close");
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}
