// A real terminal for tests: tmux runs a program in a window of a given size, and tells what is on its screen.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";

/** A running terminal. */
export interface TestTerminal {
  /** The screen's rows, without trailing blanks; `history` counts what has scrolled away too. */
  screen(options?: { history?: boolean }): Promise<string>;
  /** Resolves with the screen once it matches; rejects with the last one seen. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Types keys as tmux names them (`Enter`, `C-c`), or text as it is. */
  type(...keys: string[]): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  cursorVisible(): Promise<boolean>;
}

/** Where to start it. */
export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  /** The whole environment of the shell; PATH comes along. */
  readonly env?: Readonly<Record<string, string>>;
}

const tmux = promisify(execFile);
const POLL_MS = 30;

/** Starts a terminal with a shell whose prompt is `$ `. It ends with the test. */
export async function startTerminal(
  options: TerminalOptions = {},
): Promise<TestTerminal> {
  const { columns = 80, rows = 24, env = {} } = options;
  const name = `expose-${randomBytes(6).toString("hex")}`;
  const run = async (...args: string[]): Promise<string> =>
    (await tmux("tmux", ["-L", name, "-f", "/dev/null", ...args])).stdout;
  const path = process.env["PATH"] ?? "";
  await tmux(
    "tmux",
    [
      ...["-L", name, "-f", "/dev/null", "new-session", "-d"],
      ...["-x", String(columns), "-y", String(rows)],
      "exec env 'PS1=$ ' bash --norc --noprofile",
    ],
    { env: { PATH: path, LANG: "C.UTF-8", HISTFILE: "/dev/null", ...env } },
  );
  onTestFinished(async () => {
    await run("kill-server").catch(() => {});
  });

  const screen = async ({
    history = false,
  }: { history?: boolean } = {}): Promise<string> =>
    run("capture-pane", "-p", ...(history ? ["-S", "-"] : []));

  return {
    screen,
    async waitFor(pattern, timeoutMs = 15_000) {
      const deadline = performance.now() + timeoutMs;
      let seen = "";
      // tmux has no event for "the screen has changed".
      while (performance.now() < deadline) {
        seen = await screen();
        if (pattern.test(seen)) return seen;
        await sleep(POLL_MS);
      }
      throw new Error(`no ${pattern} on the screen in time:\n${seen}`);
    },
    async type(...keys) {
      await run("send-keys", ...keys);
    },
    async resize(newColumns, newRows) {
      await run(
        "resize-window",
        "-x",
        String(newColumns),
        "-y",
        String(newRows),
      );
    },
    async cursorVisible() {
      return (
        (await run("display-message", "-p", "#{cursor_flag}")).trim() === "1"
      );
    },
  };
}
