// What a person sees who came with plain ssh: the session channels of one connection, as far as they are no control
// channel. Nothing here may grow or wait: who does not read misses lines, and is told how many.
import type { Duplex } from "node:stream";
import type { LinkPressure } from "@expose/protocol";
import type { RequestRecord } from "../../access-log/record.ts";
import { escapeControls } from "../../util/escape.ts";
import { formatRequestLine } from "./request-line.ts";
import type { PrivateChannel } from "./ssh2-door.ts";

/** The session channels of one connection. */
export interface Terminal {
  /** Whether anybody can read. */
  readonly attached: boolean;
  /**
   * Adds a session channel and shows it what was said before there was any.
   * @param pty whether the client's terminal is in raw mode: lines then need CR, and Ctrl-C comes as a byte
   * @param interrupted called when the person wants to end
   */
  attach(
    channel: PrivateChannel,
    stream: Duplex,
    pty: boolean,
    interrupted: () => void,
  ): void;
  /** Prints a line on standard output. Lost when nobody is attached. */
  say(line: string): void;
  /** Prints a line on standard error, at once or when somebody attaches. */
  complain(line: string): void;
  /** Prints a request, unless the reader is slow or there are more than anybody reads. */
  request(record: RequestRecord): void;
  /** Reports an exit status and closes the channels. Nothing is printed any more. */
  finish(exitStatus: number): void;
}

interface Screen {
  readonly channel: PrivateChannel;
  readonly stream: Duplex;
  readonly newline: string;
}

// More than this nobody reads, and at 40,000 requests/s the lines would cost more than the requests.
const MAX_LINES_PER_SECOND = 100;

// Refusals that wait for a session channel; ssh asks for its forwards before it opens one.
const MAX_KEPT = 20;

// Lines are only written while the channel's window has room for this many more, so that none ever waits in the edge.
// Both ways out of a channel of ssh2 share one flag for that, and sharing it can send data twice.
const MIN_WINDOW = 16 * 1024;

const CTRL_C = 3;

/** Builds the terminal of a connection. @param formatTarget see EmbeddedIngressOptions */
export function createTerminal(
  link: LinkPressure,
  formatTarget: (target: string) => string,
): Terminal {
  const screens = new Set<Screen>();
  let kept: string[] = [];
  let currentSecond = 0;
  let linesInSecond = 0;
  let dropped = 0;

  function print(screen: Screen, line: string, isError: boolean): boolean {
    const { channel, stream, newline } = screen;
    if (!stream.writable || channel.outgoing.window < MIN_WINDOW) return false;
    const out = isError ? channel.stderr : stream;
    out.write(escapeControls(line) + newline);
    return true;
  }

  function printToAll(line: string, isError: boolean): boolean {
    let reached = false;
    for (const screen of screens)
      reached = print(screen, line, isError) || reached;
    return reached;
  }

  return {
    get attached() {
      return screens.size > 0;
    },
    attach(channel, stream, pty, interrupted) {
      const screen = { channel, stream, newline: pty ? "\r\n" : "\n" };
      screens.add(screen);
      stream.once("close", () => screens.delete(screen));
      // What is typed is read in any case, so that the client's window does not close.
      stream.on("data", (typed: Buffer) => {
        if (pty && typed.includes(CTRL_C)) interrupted();
      });
      for (const line of kept) print(screen, line, true);
      kept = [];
    },
    say(line) {
      printToAll(line, false);
    },
    complain(line) {
      if (screens.size > 0) printToAll(line, true);
      else if (kept.length < MAX_KEPT) kept.push(line);
    },
    request(record) {
      if (screens.size === 0) return;
      const second = Math.floor((record.startedAt + record.totalMs) / 1_000);
      if (second !== currentSecond) {
        currentSecond = second;
        linesInSecond = 0;
      }
      if (linesInSecond >= MAX_LINES_PER_SECOND || link.isFull()) {
        dropped++;
        return;
      }
      if (dropped > 0 && printToAll(`(${dropped} more requests)`, false))
        dropped = 0;
      linesInSecond++;
      if (!printToAll(formatRequestLine(record, formatTarget), false))
        dropped++;
    },
    finish(exitStatus) {
      for (const { channel, stream } of screens) {
        channel.exit(exitStatus);
        stream.end(() => stream.destroy());
      }
      screens.clear();
    },
  };
}
