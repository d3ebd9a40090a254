// Asks the person at the keyboard. Questions go to stderr or the terminal itself: stdout is for what was asked for.
import { openSync } from "node:fs";
import { ReadStream } from "node:tty";
import type { Prompt } from "../options.ts";
import type { CliIo } from "./io.ts";
import { escapeLines } from "./output/escape.ts";

/** A terminal to read from. */
export interface PromptInput {
  setRawMode(on: boolean): unknown;
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  off(event: "data", listener: (bytes: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** @returns undefined when nobody would see a question: stderr is no terminal */
export function createPrompt(io: CliIo): Prompt | undefined {
  if (!io.stderr.isTTY) return undefined;
  const say = (text: string): void => void io.stderr.write(text);
  // Evaluated when a question is asked: opening a terminal is not free, and most runs ask nothing.
  const open = (): { input: PromptInput; close: () => void } | undefined => {
    if (io.stdin instanceof ReadStream)
      return { input: io.stdin, close: () => {} };
    return openTerminal();
  };
  const ask = async (
    question: string,
    shown: boolean,
  ): Promise<string | undefined> => {
    const terminal = open();
    if (!terminal) return undefined;
    try {
      say(`${escapeLines(question)} `);
      return await readAnswer(terminal.input, say, shown);
    } finally {
      terminal.close();
    }
  };
  return {
    secret: (question) => ask(question, false),
    async confirm(question) {
      const answer = await ask(`${question} [y/N]`, true);
      return answer === undefined ? undefined : /^y(es)?$/i.test(answer.trim());
    },
  };
}

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_U = "\x15";
const SIGNAL_MS = 1_000;
const BACKSPACES = "\b\x7f";

/**
 * Reads one line in raw mode, so that the terminal shows nothing by itself.
 *
 * @param shown whether what is typed is echoed
 * @returns undefined at Ctrl-C (which is passed on as SIGINT) and Ctrl-D
 */
export function readAnswer(
  input: PromptInput,
  say: (text: string) => void,
  shown: boolean,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const decoder = new TextDecoder();
    let answer: string[] = [];

    const stop = (): void => {
      input.off("data", onData);
      input.setRawMode(false);
      input.pause();
      say("\n");
    };
    const finish = (result: string | undefined): void => {
      stop();
      resolve(result);
    };
    const onData = (bytes: Buffer): void => {
      for (const character of decoder.decode(bytes, { stream: true })) {
        if (character === "\r" || character === "\n")
          return finish(answer.join(""));
        if (character === CTRL_C) {
          stop();
          // Raw mode keeps the terminal from sending it. Who asked hears of it after everybody else; the timer keeps
          // the process alive until then, which nothing else may do at this moment.
          const timer = setTimeout(() => resolve(undefined), SIGNAL_MS);
          process.once("SIGINT", () => {
            clearTimeout(timer);
            resolve(undefined);
          });
          return void process.kill(process.pid, "SIGINT");
        }
        if (character === CTRL_D) return finish(undefined);
        if (character === CTRL_U) {
          if (shown) say("\b \b".repeat(answer.length));
          answer = [];
        } else if (BACKSPACES.includes(character)) {
          if (answer.pop() !== undefined && shown) say("\b \b");
        } else if (character >= " ") {
          answer.push(character);
          if (shown) say(character);
        }
      }
    };
    input.setRawMode(true);
    input.on("data", onData);
    input.resume();
  });
}

// Where stdin is a pipe a person may still sit at the terminal: `pg_dump | expose exec -- …`.
function openTerminal(): { input: PromptInput; close: () => void } | undefined {
  try {
    const stream = new ReadStream(openSync("/dev/tty", "r+"));
    stream.on("error", () => {});
    return { input: stream, close: () => void stream.destroy() };
  } catch {
    return undefined;
  }
}
